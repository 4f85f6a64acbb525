"""The state of training from and to PyTorch's optimizers: SGD, Adam, AdamW and RMSprop, in the form of their state_dict."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..architecture import layer_views
from ..arrays import FloatDtype, Floats
from ..optimizers import SGD, Adam, AdamW, Optimizer, RMSprop
from ..training.state import TrainingState

try:
    import torch
except ImportError as error:
    raise ImportError('PyTorch is not installed; install it with: pip install "fastmlp[torch]"') from error

ARRAYS = {  # what PyTorch calls the arrays of each rule
    "sgd": {},
    "momentum": {"v": "momentum_buffer"},
    "nesterov": {"v": "momentum_buffer"},
    "adam": {"m": "exp_avg", "v": "exp_avg_sq"},
    "rmsprop": {"v": "square_avg"},
    "rmsprop_momentum": {"v": "square_avg", "m": "momentum_buffer"},
}
WITH_STEPS = "adam", "rmsprop", "rmsprop_momentum"  # rules of which PyTorch counts the steps
CHUNK = 2**16  # steps whose numbers are computed at once
DECAY = "weight_decay"


def state_dict(optimizer: Optimizer, state: TrainingState, layer_sizes: Sequence[int], dtype: FloatDtype) -> dict[str, Any]:
    """See MLP.optimizer_state_dict."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer must be such as fastmlp.Adam(), not {optimizer!r:.80}")
    _refuse_what_torch_lacks(optimizer)
    names = ARRAYS[optimizer.rule]
    if state.rule not in (None, optimizer.rule):
        raise ValueError(
            f"the network was last trained by the rule {state.rule}, and {optimizer!r} goes on with {optimizer.rule}"
        )
    parts = _parts(layer_sizes)
    ours: dict[int, dict[str, Any]] = {}
    if state.rule_steps:
        views = {name: layer_views(state.arrays[name], layer_sizes) for name in names}
        for place, (layer, part) in enumerate(parts):
            ours[place] = {"step": torch.tensor(float(state.rule_steps))} if state.rule in WITH_STEPS else {}
            for name, theirs in names.items():
                array = views[name][layer][part]
                ours[place][theirs] = torch.from_numpy((array if part else array.T).copy())
    kind, options = _as_torch_has_it(optimizer)
    decay = options.pop(DECAY)
    split = decay > 0 and not optimizer.penalise_biases
    places = [[place for place, (_, part) in enumerate(parts) if part == wanted] for wanted in (0, 1)]
    groups = [*places] if split else [list(range(len(parts)))]
    order = {place: i for i, place in enumerate(place for group in groups for place in group)}
    empty = [{"params": [torch.zeros(1) for _ in group], DECAY: 0.0 if i else decay} for i, group in enumerate(groups)]
    found = kind(empty, **options).state_dict()
    return {
        "state": {order[place]: values for place, values in ours.items() if values},
        "param_groups": found["param_groups"],
    }


def state_of(state_dict: Any, parameters: Floats, layer_sizes: Sequence[int]) -> tuple[Optimizer, TrainingState]:
    """(optimizer, state) of a state dict; see MLP.load_optimizer_state_dict."""
    if not isinstance(state_dict, Mapping) or not {"state", "param_groups"} <= state_dict.keys():
        raise ValueError("state_dict must be that of an optimizer of PyTorch, with state and param_groups")
    groups = state_dict["param_groups"]
    parts = _parts(layer_sizes)
    in_groups = [list(group["params"]) for group in groups]
    if len(groups) == 2:
        parts = [(layer, part) for part in (0, 1) for layer, here in parts if here == part]
    if (
        [place for group in in_groups for place in group] != list(range(len(parts)))
        or len(groups) not in (1, 2)
        or (len(groups) == 2 and len(in_groups[0]) != len(in_groups[1]))
    ):
        raise ValueError(
            f"state_dict must be of the {len(parts)} parameters of this network, as one group, or as weights and biases, and its "
            f"groups have {', '.join(str(len(group)) for group in in_groups)}"
        )
    optimizer = _optimizer(groups)
    optimizer.check(parameters.dtype)
    states = [state_dict["state"].get(place, {}) for place in range(len(parts))]
    names = ARRAYS[optimizer.rule]
    state = TrainingState()
    optimizer.begin(state, parameters)
    counts = {
        int(found.get("step", 1)) for found in states if any(found.get(theirs) is not None for theirs in names.values())
    }
    if not counts:
        return optimizer, state
    if len(counts) > 1 or any(found.get(theirs) is None for found in states for theirs in names.values()):
        raise ValueError("all parameters of state_dict must have been updated equally often")
    views = {name: layer_views(state.arrays[name], layer_sizes) for name in names}
    for place, ((layer, part), found) in enumerate(zip(parts, states)):
        for name, theirs in names.items():
            own, array = views[name][layer][part], np.asarray(found[theirs].detach().cpu())
            array = array if part else array.T
            if own.shape != array.shape:
                raise ValueError(f"{theirs} of parameter {place} has shape {found[theirs].shape}, and the parameter another")
            own[...] = array
    (steps,) = counts
    for start in range(0, steps, CHUNK):
        optimizer.update(state, min(CHUNK, steps - start), parameters.dtype)  # takes its counts that far
    return optimizer, state


def _parts(layer_sizes: Sequence[int]) -> list[tuple[int, int]]:
    """(layer, 0 for its weights or 1 for its bias) of each parameter of a module, in its order."""
    return [(layer, part) for layer in range(len(layer_sizes) - 1) for part in (0, 1)]


def _refuse_what_torch_lacks(optimizer: Optimizer) -> None:
    unknown = [name for name in ("l1", "clip_norm", "clip_value", "average") if getattr(optimizer, name)]
    if optimizer.form != "torch" and optimizer.rule != "sgd":
        unknown.append("form")
    if optimizer.l2 and optimizer.weight_decay or optimizer.weight_decay and not isinstance(optimizer, Adam):
        unknown.append(DECAY)
    if callable(optimizer.learning_rate) or not isinstance(optimizer.learning_rate, (int, float)):
        unknown.append("learning_rate")
    if unknown:
        values = ", ".join(f"{name}={getattr(optimizer, name)!r}" for name in unknown)
        raise ValueError(f"the state of PyTorch's optimizers cannot say {values}")


def _as_torch_has_it(optimizer: Optimizer) -> tuple[Any, dict[str, Any]]:
    """(PyTorch's class, its options), for a learning rate that is a number."""
    rate: Any = optimizer.learning_rate
    common = {"lr": float(rate), DECAY: float(optimizer.l2)}
    own: dict[str, Any]
    if isinstance(optimizer, SGD):
        own = {"momentum": optimizer.momentum, "dampening": optimizer.dampening, "nesterov": optimizer.nesterov}
        return torch.optim.SGD, {**common, **own}
    if isinstance(optimizer, Adam):
        own = {"betas": (optimizer.beta_1, optimizer.beta_2), "eps": optimizer.epsilon}
        if optimizer.weight_decay or isinstance(optimizer, AdamW) and not optimizer.l2:
            return torch.optim.AdamW, {**common, **own, DECAY: float(optimizer.weight_decay)}
        return torch.optim.Adam, {**common, **own}
    if isinstance(optimizer, RMSprop):
        own = {"alpha": optimizer.rho, "eps": optimizer.epsilon, "momentum": optimizer.momentum}
        return torch.optim.RMSprop, {**common, **own}
    raise TypeError(f"PyTorch has no {type(optimizer).__name__}")


def _optimizer(groups: Sequence[Mapping[str, Any]]) -> Optimizer:
    """The Optimizer that PyTorch's groups describe: one, or one of weights and one of biases."""
    group, last = groups[0], groups[-1]
    told = {name for name in group.keys() | last.keys() if name not in ("params", DECAY)}
    differing = sorted(name for name in told if group.get(name) != last.get(name))
    if differing or last[DECAY] not in (0, group[DECAY]):
        raise ValueError(f"the groups of state_dict differ in {', '.join(differing) or DECAY}, and here they cannot")
    for option in ("amsgrad", "maximize", "centered"):
        if group.get(option):
            raise ValueError(f"state_dict says {option}=True, and fastmlp's optimizers have no such option")
    decay = float(group[DECAY])
    common: dict[str, Any] = {"learning_rate": float(group["lr"]), "penalise_biases": bool(decay and last[DECAY])}
    if "betas" in group:
        betas = dict(zip(("beta_1", "beta_2"), map(float, group["betas"])))
        own = {**common, **betas, "epsilon": float(group["eps"])}
        decoupled = group.get("decoupled_weight_decay")
        return AdamW(weight_decay=decay, **own) if decoupled else Adam(l2=decay, **own)
    if "alpha" in group:
        own = {"rho": float(group["alpha"]), "epsilon": float(group["eps"]), "momentum": float(group["momentum"])}
        return RMSprop(l2=decay, **common, **own)
    if "dampening" in group:
        own = {
            "momentum": float(group["momentum"]),
            "dampening": float(group["dampening"]),
            "nesterov": bool(group["nesterov"]),
        }
        return SGD(l2=decay, **common, **own)
    raise ValueError(f"state_dict is of an optimizer that fastmlp has not; its options are {', '.join(sorted(told))}")
