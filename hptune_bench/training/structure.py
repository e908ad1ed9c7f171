"""Which models may share one compiled program, and which cannot be compiled at all.

A trace bakes in everything about a model except its variables. Two models may share a trace only if all of that is
equal; what cannot be compared (custom classes, Python functions) is never shared. Importing this module does not
import TensorFlow; calling its functions does.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import types
from collections.abc import Collection, Iterator, Mapping
from typing import Any

# Keras layers under `preprocessing` whose whole state is their configuration, variables and eager tensors; the others
# hold lookup tables that no configuration shows.
_PLAIN_PREPROCESSING = ("Normalization", "Rescaling", "CategoryEncoding")
_CONVOLUTIONS = ("Conv", "SeparableConv", "DepthwiseConv")
_INPUT_SHAPES = {"batch_shape", "build_config", "build_input_shape"}
_WAITING = {"If", "StatelessIf", "Case", "StatelessCase", "PartitionedCall", "StatefulPartitionedCall"}
_REFERENCES = ("keras_history", "input_layers", "output_layers")


class _Unshared(Exception):
    """Something in the model cannot be compared."""


def layers(model: Any) -> list[Any]:
    """The model and all its layers, nested ones too (Keras has no public call for this)."""
    return list(model._flatten_layers())


def why_stock(model: Any) -> str | None:
    """Why this model must be trained by ``model.fit``; None if the compiled loop does the same."""
    import keras
    import tensorflow as tf

    for method in ("train_step", "test_step", "fit", "make_train_function", "reset_metrics", "get_metrics_result"):
        if getattr(type(model), method) is not getattr(keras.Model, method):
            return f"the model has its own {method}"
    if model.run_eagerly:
        return "the model asks to run eagerly"
    if tf.distribute.has_strategy():
        return "a distribution strategy is active"
    return None


def why_no_xla(model: Any) -> str | None:
    """Why the graph must be run as it is where a workload asks for XLA; None if XLA does the same, and soon enough."""
    if draws_random_numbers(model):
        return "XLA draws other random numbers"
    if any(type(layer).__name__.startswith(_CONVOLUTIONS) for layer in layers(model)):
        return "XLA is slow at the gradients of convolutions"
    return None


def draws_random_numbers(model: Any) -> bool:
    """Whether a layer holds a seed generator, as dropout does."""
    return any(variable.name == "seed_generator_state" for variable in model.variables)


def waits(graph: Any) -> bool:
    """Whether a traced graph holds what the single-threaded executor never ends, or refuses.

    Conditions hand their branch to another executor and wait for it in the only thread, and so do calls of a
    ``tf.function`` inside the model. They come with loss scaling, gradient accumulation, some schedules of the learning
    rate, assertions and whatever a user writes; loops do not wait. Refused is what such a function lowered to old
    control flow when it was traced.
    """
    definition = graph.as_graph_def()
    nodes = itertools.chain(definition.node, *(function.node_def for function in definition.library.function))
    return any(node.op in _WAITING or node.attr["_lower_using_switch_merge"].b for node in nodes)


def constants(model: Any) -> Iterator[tuple[Any, str, Any]]:
    """(layer, attribute, eager tensor) of every tensor that tracing would bake in, e.g. Normalization's mean."""
    import tensorflow as tf

    for layer in layers(model):
        for name, value in sorted(vars(layer).items()):
            if isinstance(value, tf.Tensor) and not tf.is_symbolic_tensor(value):
                yield layer, name, value


def any_length(model: Any) -> bool:
    """Whether one trace serves input sequences of every length.

    So it is where the first layer embeds tokens and only element-wise layers come before a global pooling, after which
    the length is gone. Text preparation tunes the length, and a trace costs more than such a training.
    """
    import keras

    if not isinstance(model, keras.Sequential):
        return False
    names = [type(layer).__name__ for layer in model.layers]
    pooling = next((i for i, name in enumerate(names) if name.startswith("Global") and name.endswith("1D")), 0)
    return names[:1] == ["Embedding"] and pooling > 0 and set(names[1:pooling]) <= {"Dropout", "Activation"}


def rate_is_variable(model: Any) -> bool:
    """Whether the learning rate is one number in a variable, not a schedule."""
    return isinstance(model.optimizer.get_config().get("learning_rate"), int | float)


def structure_key(model: Any, surroundings: Any, input_names: Collection[str] = ()) -> str | None:
    """A name for everything that tracing bakes in; None if the model holds what cannot be compared.

    Left out, because they live in variables that are copied: weights, seeds, a plain learning rate, Normalization's
    mean and variance.

    Args:
        surroundings: what else is baked in, e.g. shapes and dtypes of the data (anything that JSON can write).
        input_names: keys of the data's ``x`` where that is a dict: these layer names mean something.
    """
    try:
        if not _is_keras(type(model).__module__) or len(model.outputs) != 1:
            raise _Unshared
        _refuse_hidden_state(model)
        index = {layer.name: number for number, layer in enumerate(layers(model))}
        parts = [
            type(model).__name__,
            _clean(model.get_config(), index, set(input_names), any_length(model)),
            _clean_compile(model),
            [(tuple(v.shape), str(v.dtype), bool(v.trainable)) for v in model.variables],
            [(name, tuple(tensor.shape), tensor.dtype.name) for _, name, tensor in constants(model)],
            surroundings,
        ]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    except (_Unshared, TypeError, ValueError, AttributeError, NotImplementedError):
        return None


def _is_keras(module: str | None) -> bool:
    return module is not None and f"{module}.".startswith("keras.")


def _refuse_hidden_state(model: Any) -> None:
    for layer in layers(model):
        kind = type(layer)
        if not _is_keras(kind.__module__) or kind.__name__ == "Lambda":
            raise _Unshared
        if ".preprocessing." in f"{kind.__module__}." and kind.__name__ not in _PLAIN_PREPROCESSING:
            raise _Unshared
        # A custom activation may serialise under the name of a built-in one.
        for value in vars(layer).values():
            if isinstance(value, types.FunctionType | types.MethodType) and not _is_keras(value.__module__):
                raise _Unshared


def _clean_compile(model: Any) -> Any:
    config = dict(model.get_compile_config())
    if not config:
        raise _Unshared
    dropped = {"name", "learning_rate"} if rate_is_variable(model) else {"name"}
    optimizer = dict(config["optimizer"])
    optimizer["config"] = {k: v for k, v in optimizer["config"].items() if k not in dropped}
    # Names of losses and metrics stay: they are the names of the training log.
    return _clean({**config, "optimizer": optimizer}, {}, set(), False)


def _clean(value: Any, index: Mapping[str, int], inputs: set[str], lengths: bool, key: str = "") -> Any:
    """The configuration without what differs between two models of one structure: automatic names, seeds.

    ``lengths``: shapes of inputs differ, too (those of the variables are in the key in any case).
    """
    if isinstance(value, Mapping):
        _refuse_custom(value)
        named = value.get("class_name") == "DTypePolicy"
        dropped = {"seed", "shared_object_id"} | (_INPUT_SHAPES if lengths else set())
        if value.get("class_name") == "Normalization":
            value = {**value, "config": {k: v for k, v in value["config"].items() if k not in ("mean", "variance")}}
        return {
            k: v if named and k == "config" else _clean(v, index, inputs, lengths, k if k in _REFERENCES else key)
            for k, v in value.items()
            if k not in dropped
            and not k.endswith("_initializer")
            and not (k == "name" and isinstance(v, str) and v in index and v not in inputs)
        }
    if isinstance(value, list | tuple):
        return [_clean(item, index, inputs, lengths, key) for item in value]
    if isinstance(value, str) and key in _REFERENCES:
        return index.get(value, value)
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise _Unshared


def _refuse_custom(value: Mapping[str, Any]) -> None:
    kind = value.get("class_name")
    if not isinstance(kind, str):
        return
    if kind in ("__lambda__", "function", "Lambda") or (
        not kind.startswith("__") and not _is_keras(value.get("module") or "")
    ):
        raise _Unshared
