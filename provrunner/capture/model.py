"""Describes a model's layers, with the shapes that one batch showed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn

from provrunner.capture.recorder import json_value, type_path
from provrunner.ids import canonical_json, digest

__all__ = [
    "ShapeProbe",
    "architecture_hash",
    "describe_layers",
    "describe_model",
    "loss_settings",
]

# What shapes the computation besides class and weights; a dropout rate is a hyperparameter instead.
_STRUCTURE = ("kernel_size", "stride", "padding", "dilation", "groups", "output_size")

# In evaluation these take a fused path unless a hook is on them: hooks would change their rounding.
_FUSED = (nn.MultiheadAttention, nn.TransformerEncoder, nn.TransformerEncoderLayer)

_LONGEST_LIST = 64

_LOSS_NAMES = ("loss", "loss_fn", "criterion", "loss_function")


class ShapeProbe:
    """Notes the shapes that go into and come out of each layer until it is removed.

    It only looks: no extra forward is run, and nothing is drawn from a random generator. Compiled
    and scripted models get no hooks, since a hook makes them compile again; their shapes stay
    unknown. So do those of transformer layers in evaluation mode.
    """

    def __init__(self, model: nn.Module) -> None:
        self.shapes: dict[str, tuple[Any, Any]] = {}
        self._handles: list[torch.utils.hooks.RemovableHandle] = []
        if any(_is_compiled(module) for module in model.modules()):
            return
        fused = {
            id(part)
            for module in model.modules()
            if isinstance(module, _FUSED) and not module.training
            for part in module.modules()
        }
        for name, module in _layers(model):
            if id(module) not in fused:
                self._handles.append(module.register_forward_hook(self._noting(name)))

    def remove(self) -> None:
        """Take the hooks away; the shapes stay."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def _noting(self, name: str) -> Any:
        def note(_module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
            if name not in self.shapes:
                self.shapes[name] = (_shape(args), _shape(output))

        return note


def describe_layers(
    model: nn.Module, shapes: dict[str, tuple[Any, Any]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and data of a `layer` event for each layer, in order of definition.

    A layer is a module without children or with weights of its own; metrics and losses are none.
    Its count of parameters is of its own alone, so the layers' counts add up to the model's (tied
    weights count in each layer).

    Args:
        model: the module whose layers are listed.
        shapes: by name, what `ShapeProbe` noted; the first axis is the batch and reads null.
    """
    for position, (name, module) in enumerate(_layers(model)):
        taken, given = shapes.get(name, (None, None))
        own = list(module.parameters(recurse=False))
        yield (
            name,
            {
                "position": position,
                "type": type_path(module),
                "input_shape": taken,
                "output_shape": given,
                "parameters": sum(_size(weight) for weight in own),
                "trainable": sum(_size(weight) for weight in own if weight.requires_grad),
            },
        )


def describe_model(model: nn.Module) -> dict[str, Any]:
    """Return the data of a `model` event."""
    weights = list(model.parameters())
    losses = _losses(model)
    return {
        "type": type_path(model),
        "architecture_hash": architecture_hash(model),
        "parameters": sum(_size(weight) for weight in weights),
        "trainable": sum(_size(weight) for weight in weights if weight.requires_grad),
        "loss": type_path(losses[0]) if losses else None,
    }


def loss_settings(model: nn.Module) -> Iterator[tuple[str, Any]]:
    """Yield the name and value of the settings of each loss that a model holds.

    Settings are named `loss.reduction`; `loss.1.reduction` where there are several losses. Weights
    of classes are among them where there are few and they lie on the CPU.

    Example:
        >>> settings = dict(loss_settings(nn.Sequential(nn.HuberLoss(delta=2.0))))
        >>> settings["loss.type"], settings["loss.delta"]
        ('torch.nn.modules.loss.HuberLoss', 2.0)
    """
    losses = _losses(model)
    for number, loss in enumerate(losses):
        prefix = "loss" if len(losses) == 1 else f"loss.{number}"
        yield f"{prefix}.type", type_path(loss)
        if isinstance(loss, nn.Module):
            for name, value in {**vars(loss), **dict(loss.named_buffers(recurse=False))}.items():
                if _is_setting(name, value):
                    yield f"{prefix}.{name}", value


def architecture_hash(model: nn.Module) -> str:
    """Return a digest of names, classes, weight shapes and structure of all layers.

    The values of weights, and hyperparameters that shape no computation, do not enter.

    Example:
        >>> def small(width):
        ...     return nn.Sequential(nn.Linear(2, width), nn.Dropout(0.1 * width))
        >>> architecture_hash(small(3)) == architecture_hash(small(3))
        True
        >>> architecture_hash(small(3)) == architecture_hash(small(4))
        False
    """
    return digest(canonical_json([_structure(name, module) for name, module in _layers(model)]))


def _layers(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for name, module in model.named_modules():
        leaf = next(module.children(), None) is None
        weights = next(module.parameters(recurse=False), None) is not None
        if (leaf or weights) and not _is_bookkeeping(module):
            yield name or "(model)", module


def _structure(name: str, module: nn.Module) -> list[Any]:
    weights = [
        [key, list(_known_shape(value))] for key, value in module.named_parameters(recurse=False)
    ]
    extra = {key: getattr(module, key) for key in _STRUCTURE if hasattr(module, key)}
    return [name, type_path(module), weights, json_value(extra)]


def _is_bookkeeping(module: nn.Module) -> bool:
    return any(
        cls.__module__.startswith(("torchmetrics.", "torch.nn.modules.loss"))
        for cls in type(module).__mro__
    )


def _is_compiled(module: nn.Module) -> bool:
    return (
        isinstance(module, torch.jit.ScriptModule)
        or type(module).__name__ == "OptimizedModule"
        or getattr(module, "_compiled_call_impl", None) is not None
    )


def _known_shape(weight: torch.Tensor) -> Sequence[int]:
    return () if nn.parameter.is_lazy(weight) else tuple(weight.shape)


def _size(weight: torch.Tensor) -> int:
    return 0 if nn.parameter.is_lazy(weight) else weight.numel()


def _shape(value: Any) -> list[int | None] | None:
    """Return the shape of the first tensor of what a layer took or gave, its batch axis null."""
    if isinstance(value, torch.Tensor):
        return [None, *map(int, value.shape[1:])] if value.dim() else []
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, tuple | list) and value:
        return _shape(value[0])
    return None


def _is_setting(name: str, value: object) -> bool:
    if isinstance(value, torch.Tensor):
        return value.is_cpu and value.numel() <= _LONGEST_LIST
    is_plain = isinstance(value, bool | int | float | str | type(None))
    return is_plain and not name.startswith("_") and name != "training"


def _losses(model: nn.Module) -> list[Any]:
    found: list[Any] = [
        module for module in model.modules() if isinstance(module, nn.modules.loss._Loss)
    ]
    if found:
        return found
    held = (getattr(model, name, None) for name in _LOSS_NAMES)
    return [loss for loss in held if callable(loss) and not hasattr(loss, "__self__")][:1]
