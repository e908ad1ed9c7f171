"""A model and arrays of your own.

    hptune-bench check benchmarks/examples/own/own_arrays.py:build_model
    hptune-bench run benchmarks/examples/own/own_arrays.py:build_model

One set of rows without a validation split: it is parted anew for each seed.
"""

import keras
import numpy as np

EPOCHS = 20
PATIENCE = 5

rng = np.random.default_rng(0)
x = rng.normal(size=(600, 4)).astype("float32")
y = (x[:, 0] * x[:, 1] + 0.1 * rng.normal(size=600)).astype("float32")
train = (x, y)


def build_model(hp):
    model = keras.Sequential([keras.Input(shape=(4,))])
    for layer in range(hp.Int("layers", 1, 2)):
        # Declared late: it exists in a run with two layers only, and is found all the same.
        model.add(keras.layers.Dense(hp.Int(f"units_{layer}", 8, 64, step=8), activation="relu"))
    if hp.Boolean("dropout"):
        with hp.conditional_scope("dropout", [True]):
            model.add(keras.layers.Dropout(hp.Float("rate", 0.1, 0.5)))
    model.add(keras.layers.Dense(1))
    rate = hp.Float("learning_rate", 1e-4, 1e-1, sampling="log", default=1e-3)
    name = hp.Choice("optimizer", ["adam", "sgd"])
    optimizer = keras.optimizers.Adam(rate) if name == "adam" else keras.optimizers.SGD(rate)
    model.compile(optimizer=optimizer, loss="mse")
    return model
