"""What training records, epoch by epoch: columns of numbers, as a dict, a table, a frame, a picture, or plain data for files."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self

from .. import notebook

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

SHOWN = 10  # lines of the table that a history prints as

Column = list[float | None]


def _column(name: str, doc: str) -> Any:
    return property(lambda self: self.columns.get(name, []), doc=doc)


class History(Mapping[str, Column]):
    """What training recorded: a dict from names to lists, all with one entry a completed epoch; what was measured is in it.

    A network's history spans all its fits, and fit returns the part that is its own. Where a column was not measured in an
    epoch, such as val_loss in a fit without validation data, its entry is None. These columns are attributes, too, and [] where
    they were never measured:

    loss: the mean loss of the rows, each taken just before the step that trained on it.
    accuracy: the share of rows whose class, or all of whose labels, were right, likewise; where the task is not numbers.
    label_accuracy: the share of labels that were right; where the task is labels.
    val_loss, val_accuracy, val_label_accuracy: the same on the validation data after the epoch.
    penalty: the mean penalty of the optimizer's l2 and l1, which is no part of loss.
    seconds: the time for training on the epoch, without validation.

    Metrics are columns under their names, and with val_ before them those of the validation data: history["val_f1"].

    ended: None, or why the last fit ended before its last epoch.
    interrupted_rows: None, or how many rows of a further epoch had been trained on when the last fit ended.

    columns: {name: list}, to make a history of numbers of your own.

    >>> history = History({"loss": [0.5, 0.25], "val_loss": [0.5, 0.375]})
    >>> history["loss"][-1], history.epochs, list(history)
    (0.25, 2, ['loss', 'val_loss'])
    """

    def __init__(
        self,
        columns: Mapping[str, Column] | None = None,
        ended: str | None = None,
        interrupted_rows: int | None = None,
    ) -> None:
        self.columns = {name: list(values) for name, values in (columns or {}).items()}
        self.ended = ended
        self.interrupted_rows = interrupted_rows

    loss = _column("loss", "The mean loss of each epoch.")
    accuracy = _column("accuracy", "The share of rows that were right.")
    label_accuracy = _column("label_accuracy", "The share of labels that were right.")
    val_loss = _column("val_loss", "The mean loss of the validation data.")
    val_accuracy = _column("val_accuracy", "The share of rows of the validation data that were right.")
    val_label_accuracy = _column("val_label_accuracy", "The share of labels of the validation data that were right.")
    penalty = _column("penalty", "The mean penalty.")
    seconds = _column("seconds", "The time of each epoch.")

    def __getitem__(self, name: str) -> Column:
        return self.columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        """How many columns there are."""
        return len(self.columns)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, History) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]  # it grows

    def __repr__(self) -> str:
        """A table with a line an epoch: all of them, or SHOWN from the first to the last."""
        step = max(1, -(-(self.epochs - 1) // (SHOWN - 1)))
        shown = sorted({*range(0, self.epochs, step), self.epochs - 1} - {-1})
        rows = [[str(epoch + 1), *(_cell(values[epoch]) for values in self.values())] for epoch in shown]
        table = [["epoch", *self], *rows]
        widths = [max(map(len, column)) for column in zip(*table)]
        lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths)) for row in table]
        if self.interrupted_rows is not None:
            lines.append(f"interrupted after {self.interrupted_rows} rows of epoch {self.epochs + 1}")
        return "\n".join(lines + ([self.ended] if self.ended else []))

    def _repr_html_(self) -> str:
        return notebook.history_html(self)

    @property
    def epochs(self) -> int:
        """How many epochs were completed."""
        return len(self.loss)

    def to_frame(self) -> "DataFrame":
        """A pandas DataFrame: a row an epoch, from 1, a column a column, NaN for None. Raises ImportError without pandas."""
        try:
            from pandas import DataFrame, RangeIndex
        except ImportError as error:
            raise ImportError('to_frame needs pandas; install it with: pip install "fastmlp[pandas]"') from error
        index = RangeIndex(1, self.epochs + 1, name="epoch")
        return DataFrame(self.columns, index=index, dtype=float)

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw fastmlp.plots.learning_curves(self, ax); returns the Axes. Raises ImportError without matplotlib."""
        from ..plots import learning_curves

        return learning_curves(self, ax)

    def to_dict(self) -> dict[str, Any]:
        """All of it as what JSON can hold: {"columns": {name: [...]}, "ended": ..., "interrupted_rows": ...}."""
        columns = {name: list(values) for name, values in self.columns.items()}
        return {"columns": columns, "ended": self.ended, "interrupted_rows": self.interrupted_rows}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The History that to_dict described. Raises ValueError where data is no such thing."""
        if not isinstance(data, Mapping) or set(data) != {"columns", "ended", "interrupted_rows"}:
            raise ValueError("a history has columns, ended and interrupted_rows")
        columns, ended, rows = data["columns"], data["ended"], data["interrupted_rows"]
        if not isinstance(columns, Mapping) or not all(map(_is_column, columns, columns.values())):
            raise ValueError("columns of a history are lists of numbers by their names")
        if len({len(values) for values in columns.values()}) > 1 or columns and "loss" not in columns:
            raise ValueError("columns of a history are equally long, and loss is one")
        if not (ended is None or isinstance(ended, str)) or not (rows is None or type(rows) is int and rows > 0):
            raise ValueError("ended of a history is a string, and interrupted_rows a number of rows, or None")
        return cls({name: [None if v is None else float(v) for v in columns[name]] for name in columns}, ended, rows)

    def record(self, measured: Mapping[str, float]) -> None:
        """Add an epoch, of which loss and the others were measured."""
        epochs = self.epochs
        for name in measured:
            self.columns.setdefault(name, [None] * epochs)
        for name, values in self.columns.items():
            values.append(measured.get(name))

    def last(self) -> dict[str, float]:
        """What was measured in the last epoch."""
        return {name: values[-1] for name, values in self.columns.items() if values and values[-1] is not None}

    def since(self, epoch: int) -> "History":
        """What was recorded after so many epochs, an integer epoch: a History of its own, with the columns measured then."""
        parts = {name: values[epoch:] for name, values in self.columns.items()}
        measured = {name: values for name, values in parts.items() if any(value is not None for value in values)}
        return History(measured, self.ended, self.interrupted_rows)

    def kept(self) -> Callable[[], None]:
        """The function that goes back to what is recorded now."""
        names, epochs, ended, rows = list(self.columns), self.epochs, self.ended, self.interrupted_rows

        def go_back() -> None:
            self.columns = {name: self.columns[name][:epochs] for name in names}
            self.ended, self.interrupted_rows = ended, rows

        return go_back


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _is_column(name: object, values: object) -> bool:
    is_number = (int, float, type(None))
    return (
        isinstance(name, str)
        and isinstance(values, list)
        and all(isinstance(value, is_number) and not isinstance(value, bool) for value in values)
    )
