"""PyTorch: modules, state dicts and optimizers there and back: the same bytes, and outputs that agree to rounding."""

import copy
from dataclasses import replace

import numpy as np
import pytest
from conftest import Later
from rounding import assert_close

import fastmlp
from fastmlp import MLP, SGD, Adam, AdamW, RMSprop

torch = Later("torch")
random = np.random.RandomState(0)
X, Y = random.random_sample((30, 6)), random.randint(0, 4, 30)
HIDDEN = [name for name, row in fastmlp.ACTIVATIONS.items() if row.hidden]
DTYPES = ("float32", "float64")


def outputs(module, x, dtype="float32"):
    return module.eval()(torch.from_numpy(x.astype(dtype))).detach().numpy()


@pytest.mark.parametrize("activation", HIDDEN)
@pytest.mark.parametrize("dtype", DTYPES)
def test_there_and_back(activation, dtype):
    net = MLP([6, 5, 7, 4], activation, loss="cross_entropy", dtype=dtype, seed=1, input_scale=3)
    module = net.to_torch()
    assert_close(net, X.astype(dtype), outputs(module, X, dtype))
    twin = fastmlp.from_torch(module, seed=1)
    assert twin.hash() == net.hash() and repr(twin) == repr(net)
    assert (twin.forward(X) == net.forward(X)).all()


@pytest.mark.parametrize("loss, output", [
    ("cross_entropy", "softmax"), ("binary_cross_entropy", "sigmoid"), ("poisson", "exp"), ("squared_error", "identity"),
    ("squared_error", "relu"), ("huber", "tanh"), ("absolute_error", "softplus"),
])  # fmt: skip
def test_outputs_and_the_loss_that_goes_with_them(loss, output):
    net = MLP([6, 5, 4], "tanh", output, loss, seed=1)
    module = net.to_torch()
    assert_close(net, X.astype(np.float32), outputs(module, X))
    by_default = fastmlp.from_torch(module)
    assert by_default.layer_activations == net.layer_activations
    assert by_default.loss == (loss if output in ("softmax", "sigmoid", "exp") else "squared_error")
    assert fastmlp.from_torch(module, loss).loss == net.loss
    if output in ("softmax", "sigmoid", "exp"):  # what PyTorch's losses of logits take
        assert fastmlp.from_torch(module[:-1], loss).layer_activations[-1] == output
        assert fastmlp.from_torch(module[:-1]).layer_activations[-1] == "identity"


def test_parameters_are_the_networks_own_memory():
    net = MLP([6, 5, 4], seed=1)
    module, state = net.to_torch(), net.state_dict()
    net.weights[0][2, 3] = 7.0
    assert module[0].weight[3, 2] == state["0.weight"][3, 2] == 7.0
    with torch.no_grad():
        module[2].bias[1] = -2.0
    assert net.biases[1][1] == -2.0
    optimizer, before = torch.optim.SGD(module.parameters(), 0.1), net.hash()
    module(torch.ones(2, 6)).sum().backward()
    optimizer.step()
    assert net.hash() != before and fastmlp.from_torch(module, "squared_error").hash() == net.hash()


def test_state_dicts_have_the_keys_and_shapes_of_a_sequential():
    net = MLP([6, 5, 5, 4], ["identity", "relu"], loss="cross_entropy", seed=1, input_scale=2)
    module = torch.nn.Sequential(
        torch.nn.Linear(6, 5), torch.nn.Linear(5, 5), torch.nn.ReLU(), torch.nn.Linear(5, 4), torch.nn.Softmax(dim=1)
    )
    module.load_state_dict(net.state_dict())
    assert list(net.state_dict()) == list(module.state_dict()) == list(net.to_torch().state_dict())
    twin = MLP([6, 5, 5, 4], ["identity", "relu"], loss="cross_entropy", seed=2)
    twin.load_state_dict(module.state_dict())
    assert twin.hash() == net.hash()
    renamed = {key.replace("0", "first").replace("3", "last"): tensor for key, tensor in module.state_dict().items()}
    twin.parameters[...] = 0
    twin.load_state_dict({name: tensor.numpy() for name, tensor in renamed.items()})
    assert twin.hash() == net.hash()


def test_modules_as_people_have_them():
    module = torch.nn.Sequential(
        torch.nn.Flatten(),
        torch.nn.Sequential(torch.nn.Linear(6, 8, bias=False), torch.nn.Identity(), torch.nn.LeakyReLU()),
        torch.nn.Dropout(0.5),
        torch.nn.Sequential(torch.nn.Sequential(torch.nn.Linear(8, 4)), torch.nn.LogSoftmax(dim=1)),
    )
    net = fastmlp.from_torch(module)
    assert net.layer_activations == ("leaky_relu", "softmax") and net.loss == "cross_entropy" and not net.biases[0].any()
    assert_close(net, X.astype(np.float32), np.exp(outputs(module, X)))
    assert net.weights[0].T.tobytes() == module[1][0].weight.detach().numpy().tobytes()
    twin = MLP([6, 8, 4], loss="cross_entropy")
    twin.load_state_dict(module.state_dict())
    assert twin.hash() == net.hash()
    half = copy.deepcopy(module).bfloat16()
    assert fastmlp.from_torch(half).weights[0].T.tobytes() == half[1][0].weight.detach().float().numpy().tobytes()
    assert fastmlp.from_torch(torch.nn.Linear(6, 4), "cross_entropy").layer_activations == ("softmax",)
    assert fastmlp.from_torch(module.double(), dtype="float32").hash() == net.hash()


@pytest.mark.parametrize("parts, words", [
    (lambda nn: [nn.Linear(6, 4), nn.BatchNorm1d(4)], "1, BatchNorm1d"),
    (lambda nn: [nn.Linear(6, 4), nn.Sequential(nn.Linear(4, 4), nn.PReLU())], "1.1, PReLU"),
    (lambda nn: [nn.Linear(6, 4), nn.LeakyReLU(0.2)], r"1, LeakyReLU\(negative_slope=0.2"),
    (lambda nn: [nn.Linear(6, 4), nn.ELU(2.0)], r"1, ELU\(alpha=2.0"),
    (lambda nn: [nn.Linear(6, 4).double(), nn.Softplus()], "1, Softplus"),
    (lambda nn: [nn.Linear(6, 4), nn.Softplus(2)], "1, Softplus"),
    (lambda nn: [nn.Linear(6, 4), nn.Softmax(dim=0)], "1, Softmax"),
    (lambda nn: [nn.Linear(6, 4), nn.ReLU(), nn.Tanh()], "2, Tanh"),
    (lambda nn: [nn.ReLU(), nn.Linear(6, 4)], "0, ReLU"),
    (lambda nn: [nn.Flatten(0), nn.Linear(6, 4)], "0, Flatten"),
    (lambda nn: [nn.Conv1d(1, 1, 1), nn.Linear(6, 4)], "0, Conv1d"),
    (lambda nn: [nn.ReLU()], "0, ReLU"),
    (lambda nn: [nn.Flatten()], "no Linear layer"),
    (lambda nn: [nn.utils.parametrizations.weight_norm(nn.Linear(6, 4))], "0, Parametrized"),
], ids=lambda case: case if isinstance(case, str) else "")  # fmt: skip
def test_modules_that_are_refused(parts, words):
    with pytest.raises(ValueError, match=words):
        fastmlp.from_torch(torch.nn.Sequential(*parts(torch.nn)))


def test_what_else_is_refused():
    with pytest.raises(TypeError, match="must be a torch.nn.Module"):
        fastmlp.from_torch(3)
    hooked = torch.nn.Sequential(torch.nn.Linear(6, 4))
    hooked[0].register_forward_hook(lambda module, x, out: 2 * out)
    with pytest.raises(ValueError, match="0 has forward hooks"):
        fastmlp.from_torch(hooked)
    with pytest.raises(ValueError, match="softmax.*does not go with loss"):
        fastmlp.from_torch(torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.Softmax(-1)), "squared_error")

    @fastmlp.activation
    def half(z):
        return 0.5 * z

    with pytest.raises(ValueError, match="no module for the activation half"):
        MLP([6, 5, 4], half, backend="reference").to_torch()


@pytest.mark.parametrize("change, words", [
    (lambda state: state.pop("2.weight"), "'2' has no matrix"),
    (lambda state: [state.pop("2.weight"), state.pop("2.bias")], "holds 1 layers, and this network has 2"),
    (lambda state: state.update({"0.weight": torch.ones(6, 5)}), r"layer '0' of state_dict has weights \(6, 5\) and 5 biases"),
    (lambda state: state.update({"2.bias": torch.ones(5)}), "layer '2' of state_dict"),
    (lambda state: state.update({"0.running_mean": torch.ones(5)}), "'0.running_mean'"),
    (lambda state: state.update({"1.num_batches": torch.tensor(3)}), "'1.num_batches'"),
])  # fmt: skip
def test_state_dicts_that_are_refused(change, words):
    net = MLP([6, 5, 4], seed=1)
    state, before = net.state_dict(), net.hash()
    change(state)
    with pytest.raises(ValueError, match=words):
        net.load_state_dict(state)
    assert net.hash() == before


# Optimizers.

OPTIMIZERS = [
    (SGD(learning_rate=0.2), "SGD", dict(lr=0.2)),
    (SGD(learning_rate=0.2, momentum=0.9, dampening=0.1), "SGD", dict(lr=0.2, momentum=0.9, dampening=0.1)),
    (SGD(learning_rate=0.2, momentum=0.9, nesterov=True, l2=0.01, penalise_biases=True), "SGD",
     dict(lr=0.2, momentum=0.9, nesterov=True, weight_decay=0.01)),
    (Adam(learning_rate=0.01), "Adam", dict(lr=0.01)),
    (Adam(learning_rate=0.01, beta_1=0.8, beta_2=0.99, epsilon=1e-6, l2=0.1), "Adam",
     dict(lr=0.01, betas=(0.8, 0.99), eps=1e-6, weight_decay=0.1)),
    (AdamW(learning_rate=0.01, weight_decay=0.1), "AdamW", dict(lr=0.01, weight_decay=0.1)),
    (RMSprop(learning_rate=0.01, rho=0.9), "RMSprop", dict(lr=0.01, alpha=0.9)),
    (RMSprop(learning_rate=0.01, rho=0.8, momentum=0.5, l2=0.1, penalise_biases=True), "RMSprop",
     dict(lr=0.01, alpha=0.8, momentum=0.5, weight_decay=0.1)),
]  # fmt: skip
NAMES = [f"{i}-{type(row[0]).__name__}" for i, row in enumerate(OPTIMIZERS)]


def groups_of(module, ours, options):
    """The module's parameters, as two groups where only weights are penalised."""
    if not options.get("weight_decay") or ours.penalise_biases:
        return list(module.parameters())
    weights = [part for name, part in module.named_parameters() if name.endswith("weight")]
    biases = [part for name, part in module.named_parameters() if name.endswith("bias")]
    return [{"params": weights}, {"params": biases, "weight_decay": 0.0}]


def steps(module, optimizer, n):
    x, y = torch.from_numpy(X), torch.from_numpy(Y)
    for _ in range(n):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(module[:-1](x), y).backward()
        optimizer.step()


@pytest.mark.parametrize("ours, kind, options", OPTIMIZERS, ids=NAMES)
def test_training_goes_on_over_there_and_here(ours, kind, options):
    net = MLP([6, 5, 4], "tanh", loss="cross_entropy", dtype="float64", seed=1)
    for _ in range(5):
        net.train_step(X, Y, optimizer=ours)
    module = copy.deepcopy(net).to_torch()
    theirs = getattr(torch.optim, kind)(groups_of(module, ours, options), **options)
    theirs.load_state_dict(net.optimizer_state_dict(ours))
    twin = fastmlp.from_torch(module)
    assert twin.load_optimizer_state_dict(theirs.state_dict()) == ours
    assert set(twin.state.arrays) == set(net.state.arrays) and twin.state.powers == net.state.powers
    for name, array in net.state.arrays.items():
        assert twin.state.arrays[name].tobytes() == array.tobytes()
    for _ in range(5):
        net.train_step(X, Y, optimizer=ours)
        twin.train_step(X, Y, optimizer=ours)
    assert twin.hash() == net.hash()
    steps(module, theirs, 5)
    back = fastmlp.from_torch(module)  # both in float64, whose rounding ten steps blow up by no more than some thousands
    assert np.abs(back.parameters - net.parameters).max() < 1e4 * np.finfo(float).eps
    back.load_optimizer_state_dict(theirs.state_dict())
    for name, array in net.state.arrays.items():
        assert np.abs(back.state.arrays[name] - array).max() < 1e4 * np.finfo(float).eps
    assert ours.rule not in ("adam", "rmsprop", "rmsprop_momentum") or back.state.rule_steps == net.state.rule_steps == 10


def test_a_state_that_has_not_begun():
    net = MLP([6, 5, 4], seed=1)
    theirs = torch.optim.Adam(net.to_torch().parameters(), lr=0.5)
    assert net.load_optimizer_state_dict(theirs.state_dict()) == Adam(learning_rate=0.5)
    assert net.state.rule_steps == 0
    theirs.load_state_dict(net.optimizer_state_dict(Adam(learning_rate=0.25)))
    assert theirs.param_groups[0]["lr"] == 0.25 and not theirs.state_dict()["state"]


@pytest.mark.parametrize("options, word", [
    (dict(l1=0.1), "l1=0.1"), (dict(clip_norm=1.0), "clip_norm=1.0"), (dict(clip_value=1.0), "clip_value=1.0"),
    (dict(average=0.9), "average=0.9"), (dict(form="keras"), "form='keras'"), (dict(l2=0.1, weight_decay=0.1), "weight_decay=0.1"),
    (dict(learning_rate=lambda step: 0.1), "learning_rate="),
], ids=lambda case: case if isinstance(case, str) else "")  # fmt: skip
def test_options_that_pytorch_has_not(options, word):
    with pytest.raises(ValueError, match=word):
        MLP([6, 5, 4]).optimizer_state_dict(replace(Adam(), **options))


def test_optimizer_states_that_are_refused():
    net = MLP([6, 5, 4], seed=1)
    parameters = list(net.to_torch().parameters())

    def refused(optimizer, words, change=lambda state: None):
        state = optimizer.state_dict()
        change(state)
        with pytest.raises(ValueError, match=words):
            net.load_optimizer_state_dict(state)

    refused(torch.optim.Adam(parameters, amsgrad=True), "amsgrad=True")
    refused(torch.optim.SGD(parameters, 0.1, maximize=True), "maximize=True")
    refused(torch.optim.RMSprop(parameters, centered=True), "centered=True")
    refused(torch.optim.Adagrad(parameters), "an optimizer that fastmlp has not")
    refused(torch.optim.Adam(parameters[:2]), "of the 4 parameters of this network")
    refused(torch.optim.Adam([{"params": parameters[:1]}, {"params": parameters[1:]}]), "its groups have 1, 3")
    refused(torch.optim.Adam([{"params": parameters[::2]}, {"params": parameters[1::2], "lr": 1.0}]), "differ in lr")
    with pytest.raises(ValueError, match="with state and param_groups"):
        net.load_optimizer_state_dict({})
    net.fit(X, np.eye(4)[Y], epochs=1, optimizer="adam", verbose=0)
    with pytest.raises(ValueError, match="last trained by the rule adam"):
        net.optimizer_state_dict(RMSprop())
    state = net.optimizer_state_dict(Adam())
    state["state"][1]["step"] += 1
    with pytest.raises(ValueError, match="updated equally often"):
        net.load_optimizer_state_dict(state)
