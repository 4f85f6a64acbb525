"""What users keep numbers in, as NumPy arrays: lists, tables of pandas, tensors of PyTorch and JAX; no library is imported."""

from typing import Any

import numpy as np


def describe(value: object) -> str:
    """A value as an error message shows it: an array by its shape and dtype."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def numbers(name: str, value: Any) -> np.ndarray:
    """value as an array of real numbers, without a copy where it is one."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise ValueError(f"{name} has masked entries, which are no numbers: drop their rows, or give {name}.filled(...)")
    is_of_pandas = hasattr(value, "to_numpy") and hasattr(value, "isna")
    array: np.ndarray = _of_pandas(name, value) if is_of_pandas else _of_anything(name, value)
    if array.dtype.name == "bfloat16":  # JAX's; NumPy's own types do not have it
        array = array.astype(np.float32)
    if array.dtype.kind not in "biuf":
        if hasattr(value, "toarray"):
            raise TypeError(f"{name} is a sparse matrix of SciPy, and must be an array: give what its toarray() returns")
        raise TypeError(f"{name} must hold real numbers, not dtype {array.dtype}: {describe(value)}")
    return array


def _of_anything(name: str, value: Any) -> np.ndarray:
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} must be a rectangular array of numbers, not {describe(value)}: {error}") from None
    except (TypeError, RuntimeError) as error:
        if not hasattr(value, "detach"):
            raise
        return _of_tensor(name, value, error)


def _of_tensor(name: str, tensor: Any, error: Exception) -> np.ndarray:
    """A tensor of PyTorch that NumPy does not take as it is: it requires a gradient, or has a type that NumPy lacks."""
    tensor = tensor.detach()
    if str(tensor.dtype) == "torch.bfloat16":
        tensor = tensor.float()
    try:
        return np.asarray(tensor)
    except (TypeError, RuntimeError):
        raise TypeError(
            f"{name} is a tensor that NumPy cannot read: {error}\nWrite {name}.detach().cpu().float().numpy()"
        ) from None


def _of_pandas(name: str, table: Any) -> np.ndarray:
    """A DataFrame, a Series or an Index, also of columns of several types, or of types that know missing values."""
    array = np.asarray(table)
    if array.dtype.kind != "O":
        return array
    columns = [(repr(label), column) for label, column in table.items()] if array.ndim == 2 else [(None, table)]
    for label, column in columns:
        where = f"{name}" if label is None else f"column {label} of {name}"
        if column.dtype.kind not in "biuf":
            raise TypeError(
                f"{where} must hold real numbers, not {column.dtype}.\n"
                "Encode it first, such as by pandas.get_dummies, or leave it out"
            )
        missing = np.asarray(column.isna())
        if missing.any() and column.dtype.kind != "f":
            raise ValueError(
                f"{where} has a missing value in row {int(np.argmax(missing))}.\nFill it, such as by fillna, or drop it by dropna"
            )
    whole = all(column.dtype.kind in "biu" for _, column in columns)
    converted = table.to_numpy(dtype=np.int64) if whole else table.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.asarray(converted)
