"""What users keep numbers in: taken as the numbers that they are, or refused with what to write."""

import sys

import numpy as np
import pytest

from fastmlp import MLP
from fastmlp.containers import numbers

X = np.random.RandomState(0).standard_normal((6, 3)).astype(np.float32)
Y = np.array([0, 1, 1, 0, 1, 0])


@pytest.fixture
def net():
    return MLP([3, 4, 2], loss="cross_entropy", seed=0, backend="reference")


def test_tables_of_pandas(net):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(X, columns=["age", "height", "weight"])
    expected, loss = net(X).tobytes(), net.gradients(X, Y)[0]
    labels = pandas.Series(Y)
    for same in (
        table,
        table.astype("Float64"),
        table.astype("Float32"),
        table.astype({"age": "Float64", "height": "float32"}),
    ):
        assert net(same).tobytes() == expected
        for y in (labels, labels.astype("Int64"), labels.astype("boolean"), labels.astype("UInt8"), pandas.Index(Y)):
            assert net.gradients(same, y)[0] == loss
    mixed = pandas.DataFrame({"size": X[:, 0], "red": [True, False] * 3, "n": pandas.array(range(6), "Int64")})
    plain = np.column_stack([X[:, 0], [1, 0] * 3, range(6)])
    assert net(mixed).tobytes() == net(plain).tobytes()
    flags = pandas.get_dummies(pandas.DataFrame({"size": X[:, 0], "colour": list("rgrgrg")}))
    assert net(flags).tobytes() == net(np.column_stack([X[:, 0], [0, 1] * 3, [1, 0] * 3])).tobytes()


def test_columns_of_pandas_that_are_no_numbers(net):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(X, columns=["age", "height", "weight"]).astype("Float64")
    missing = table.copy()
    missing.loc[2, "height"] = pandas.NA
    with pytest.raises(ValueError, match=r"x must be finite, but row 2, column 1 is nan"):
        net.fit(missing, Y, verbose=0)
    whole = pandas.DataFrame({"a": pandas.array([1, None, 3], "Int64"), "b": [1.0, 2, 3], "c": [1, 2, 3]})
    with pytest.raises(ValueError, match="column 'a' of x has a missing value in row 1.\nFill it, such as by fillna"):
        net(whole)
    with pytest.raises(TypeError, match="column 'weight' of x must hold real numbers, not .*\nEncode it first"):
        net(table.assign(weight=list("abcdef")))
    with pytest.raises(TypeError, match="y must hold real numbers, not .*\nEncode it first"):
        net.gradients(table, pandas.Series(list("ababab")))


def test_bfloat16_of_jax(net):
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    assert net(X.astype(bfloat16)).tobytes() == net(X.astype(bfloat16).astype(np.float32)).tobytes()


class Tensor:
    """A tensor as PyTorch has it, which NumPy does not take while it requires a gradient or is bfloat16."""

    def __init__(self, array, dtype="torch.float32", requires_grad=False, device="cpu"):
        self.array, self.dtype, self.requires_grad, self.device = array, dtype, requires_grad, device

    def __array__(self, dtype=None, copy=None):
        if self.requires_grad:
            raise RuntimeError("it requires a gradient")
        if self.dtype == "torch.bfloat16" or self.device != "cpu":
            raise TypeError("unsupported")
        return self.array

    def detach(self):
        return Tensor(self.array, self.dtype, False, self.device)

    def float(self):
        return Tensor(self.array.astype(np.float32), "torch.float32", self.requires_grad, self.device)


def test_tensors_of_torch(net):
    for tensor in (Tensor(X), Tensor(X, requires_grad=True), Tensor(X, "torch.bfloat16"), Tensor(X, "torch.bfloat16", True)):
        assert net(tensor).tobytes() == net(X).tobytes()
    with pytest.raises(TypeError, match="x is a tensor that NumPy cannot read: unsupported\nWrite x.detach"):
        net(Tensor(X, device="gpu"))


def test_real_tensors_of_torch(net):
    if "torch" not in sys.modules:
        pytest.importorskip("torch")
    import torch

    for kind in (torch.float32, torch.float64, torch.bfloat16):
        tensor = torch.tensor(X).to(kind)
        assert net(tensor.clone().requires_grad_()).tobytes() == net(tensor.to(torch.float64).numpy()).tobytes()


def test_masked_arrays(net):
    masked = np.ma.masked_array(X, mask=np.zeros(X.shape))
    assert net(masked).tobytes() == net(X).tobytes()
    masked[1, 1] = np.ma.masked
    for call in (lambda: net(masked), lambda: net.gradients(masked, Y)):
        with pytest.raises(ValueError, match=r"x has masked entries.*x.filled\(...\)"):
            call()
    with pytest.raises(ValueError, match="y has masked entries"):
        net.gradients(X, np.ma.masked_array(Y, mask=Y == 1))


@pytest.mark.parametrize("shape", [(6, 2, 2, 3), (6, 2, 2, 4), (2, 2, 3)])
def test_pictures_in_colour(shape):
    net = MLP([4, 2], seed=0, backend="reference")
    with pytest.raises(ValueError, match=r"of colours take one number a pixel, such as x\[..., :3\].mean\(axis=-1\)"):
        net(np.zeros(shape))
    with pytest.raises(ValueError) as error:
        net(np.zeros((6, 3, 3)))
    assert "colours" not in str(error.value)


def test_arrays_pass_without_a_copy():
    assert numbers("x", X) is X
