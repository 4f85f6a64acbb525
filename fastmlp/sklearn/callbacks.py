"""What scikit-learn's callbacks, which set_callbacks sets, are told of a fit: its beginning and end, and those of each epoch."""

from typing import Any


class Told:
    """The callbacks of an estimator's fit on X and y, as the user gave them; without callbacks it does nothing.

    Of solver="lbfgs" they are told the fit alone.
    """

    def __init__(self, estimator: Any, X: Any, y: Any, sample_weight: Any):
        self.estimator = estimator
        self.root: Any = None
        self.epoch: Any = None
        self.of_task = {"X": X, "y": y, "metadata": None if sample_weight is None else {"sample_weight": sample_weight}}
        if hasattr(estimator, "_skl_callbacks") or hasattr(estimator, "_parent_callback_ctx"):
            epochs = 0 if estimator.solver == "lbfgs" else estimator.max_iter
            self.root = estimator._init_callback_context(max_subtasks=epochs)
            self.root.call_on_fit_task_begin(estimator=estimator, **self.of_task)

    def epoch_begins(self) -> None:
        """An epoch is about to begin."""
        if self.root is not None:
            self.epoch = self.root.subcontext(task_name="epoch")
            self.epoch.call_on_fit_task_begin(estimator=self.estimator, **self.of_task, reconstruction_attributes=dict)

    def epoch_ends(self) -> bool:
        """It is over; whether one of them ends training. What they get as fitted_estimator is a copy with the weights of now."""
        if self.epoch is None:
            return False
        ends = self.epoch.call_on_fit_task_end(estimator=self.estimator, **self.of_task, reconstruction_attributes=dict)
        return bool(ends)

    def fit_ends(self) -> None:
        """All is over."""
        if self.root is not None:
            self.root.call_on_fit_task_end(estimator=self.estimator, **self.of_task, reconstruction_attributes=dict)
