"""class_weight: weights of classes, as weights of their rows."""

from typing import Any

import numpy as np
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, _check_y


def of_rows(estimator: Any, X: Any, y: Any, sample_weight: Any, incremental: bool) -> np.ndarray:
    """The weights (rows,) of rows: their own, 1 unless given, times their class's. Raises ValueError for wrong ones."""
    class_weight = estimator.class_weight
    if incremental and class_weight == "balanced":
        raise ValueError("class_weight='balanced' needs all classes at once: for partial_fit, give a dict {class: weight}")
    classes = _check_y(y, multi_output=True, estimator=estimator)
    check_classification_targets(classes)
    if incremental:  # where some classes may have no rows
        of_classes = compute_class_weight(class_weight, classes=estimator.classes_, y=estimator.classes_)
        class_weight = dict(zip(estimator.classes_, of_classes))
    weights: np.ndarray = compute_sample_weight(class_weight, classes)
    if (weights < 0).any():
        raise ValueError(f"class_weight must hold weights of at least 0, not {estimator.class_weight!r}")
    return weights if sample_weight is None else _check_sample_weight(sample_weight, X) * weights
