"""The predictor that has learned nothing: the constant that is best on the training split."""

from __future__ import annotations

from typing import Any

import numpy as np

from hptune_bench.core.protocols import Data, Split


def majority_accuracy(train: np.ndarray, validation: np.ndarray) -> float:
    """Accuracy of always naming the most frequent class; y holds class numbers, or one-hot rows."""
    held = [y.argmax(-1) if y.ndim > 1 and y.shape[-1] > 1 else y.reshape(-1) for y in (train, validation)]
    values, counts = np.unique(held[0], return_counts=True)
    return float(np.mean(held[1] == values[counts.argmax()]))


def constant_loss(model: Any, data: Data) -> float:
    """The loss, on the validation split, of the constant output that is best on the training split."""
    import keras

    loss = keras.losses.get(model.loss)
    name = getattr(loss, "name", getattr(loss, "__name__", ""))
    outputs = model.output_shape[1:]
    candidates = _constants(name, data.train.y, outputs, _from_logits(loss))

    def value(split: Split, constant: np.ndarray) -> float:
        predicted = np.broadcast_to(constant.astype(np.float32), (len(split), *outputs))
        return float(np.mean(keras.ops.convert_to_numpy(loss(split.y, predicted))))

    best = min(candidates, key=lambda constant: value(data.train, constant))
    return value(data.validation, best)


def _constants(loss: str, y: np.ndarray, outputs: tuple[int, ...], logits: bool) -> list[np.ndarray]:
    """Outputs that a predictor without inputs could give: class frequencies, or means and medians."""
    if loss == "sparse_categorical_crossentropy":
        shares = np.bincount(y.reshape(-1).astype(int), minlength=outputs[-1]) / y.size
        return [np.log(np.maximum(shares, 1e-7)) if logits else shares]
    mean = np.asarray(np.mean(y, axis=0, dtype=np.float64)).reshape(outputs)
    if loss == "categorical_crossentropy":
        return [np.log(np.maximum(mean, 1e-7)) if logits else mean]
    if loss == "binary_crossentropy":
        share = np.clip(mean, 1e-7, 1 - 1e-7)
        return [np.log(share / (1 - share)) if logits else share]
    return [mean, np.median(y, axis=0).reshape(outputs)]


def _from_logits(loss: Any) -> bool:
    config = loss.get_config() if hasattr(loss, "get_config") else {}
    return bool(config.get("from_logits", config.get("fn_kwargs", {}).get("from_logits", False)))
