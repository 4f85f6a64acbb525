"""What a fit records, epoch by epoch."""

from dataclasses import dataclass, field, fields

from .. import notebook

SHOWN = 10  # lines of the table that a history prints as


@dataclass(repr=False)
class History:
    """What a fit recorded: lists with one entry a completed epoch, also as history["loss"] and so on.

    loss: the mean loss of the rows, each taken just before the step that trained on it.
    accuracy: the share of rows whose class, or all of whose labels, were right, likewise; empty where the task is numbers.
    label_accuracy: the share of labels that were right; empty where the task is another.
    val_loss, val_accuracy, val_label_accuracy: the same on the validation data after the epoch; empty without it.
    penalty: the mean penalty of the optimizer's l2 and l1, which is no part of loss; empty without them.
    seconds: the time for training on the epoch, without validation.
    ended: None, or why training ended before its last epoch.
    interrupted_rows: None, or how many rows of a further epoch had been trained on when Ctrl-C ended it.
    """

    loss: list = field(default_factory=list)
    accuracy: list = field(default_factory=list)
    label_accuracy: list = field(default_factory=list)
    val_loss: list = field(default_factory=list)
    val_accuracy: list = field(default_factory=list)
    val_label_accuracy: list = field(default_factory=list)
    penalty: list = field(default_factory=list)
    seconds: list = field(default_factory=list)
    ended: str | None = None
    interrupted_rows: int | None = None

    def __repr__(self):
        """A table with a line an epoch: all of them, or SHOWN from the first to the last."""
        columns = [name for name in self.keys() if self[name]]
        step = max(1, -(-(self.epochs - 1) // (SHOWN - 1)))
        shown = sorted({*range(0, self.epochs, step), self.epochs - 1} - {-1})
        rows = [[str(epoch + 1), *(f"{self[name][epoch]:.6g}" for name in columns)] for epoch in shown]
        table = [["epoch", *columns], *rows]
        widths = [max(map(len, column)) for column in zip(*table)]
        lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths)) for row in table]
        if self.interrupted_rows is not None:
            lines.append(f"interrupted after {self.interrupted_rows} rows of epoch {self.epochs + 1}")
        return "\n".join(lines + ([self.ended] if self.ended else []))

    @property
    def epochs(self):
        """How many epochs were completed."""
        return len(self.loss)

    def keys(self):
        return [f.name for f in fields(self) if f.name not in ("ended", "interrupted_rows")]

    def __getitem__(self, key):
        if key not in self.keys():
            raise KeyError(key)
        return getattr(self, key)

    def _repr_html_(self):
        return notebook.history_html(self)

    def record(self, seconds, trained, validation, penalty=None):
        """Add an epoch: the Evaluations of its training and, unless None, of the validation data; its penalty, unless None."""
        if penalty is not None:
            self.penalty.append(penalty)
        self.seconds.append(seconds)
        for prefix, evaluation in (("", trained), ("val_", validation)):
            for name in ("loss", "accuracy", "label_accuracy"):
                value = getattr(evaluation, name, None)
                if value is not None:
                    self[prefix + name].append(value)
