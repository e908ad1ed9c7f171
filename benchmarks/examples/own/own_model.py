"""A model of your own as tutorials write it: ``tf.data`` of dicts, Normalization adapted on the training rows.

hptune-bench run benchmarks/examples/own/own_model.py:build_model --budget 10trainings
"""

import keras
import numpy as np
import tensorflow as tf

EPOCHS = 20
BATCH_SIZE = 32
PATIENCE = 5


def dataset(rows, seed):
    rng = np.random.default_rng(seed)
    area, age = rng.uniform(20, 200, (rows, 1)), rng.uniform(0, 100, (rows, 1))
    price = 3 * area - 0.5 * age + rng.normal(0, 10, (rows, 1))
    columns = {"area": area.astype("float32"), "age": age.astype("float32")}
    return tf.data.Dataset.from_tensor_slices((columns, price.astype("float32"))).batch(32)


train, validation, test = dataset(400, 1), dataset(100, 2), dataset(100, 3)


def build_model(hp):
    inputs = {name: keras.Input(shape=(1,), name=name) for name in ("area", "age")}
    columns = []
    for name, column in inputs.items():
        if hp.Boolean("normalize", default=True):
            layer = keras.layers.Normalization()
            layer.adapt(train.map(lambda x, y, name=name: x[name]))
            column = layer(column)
        columns.append(column)
    hidden = keras.layers.Concatenate()(columns)
    hidden = keras.layers.Dense(hp.Int("neurons", 4, 32, step=4), activation="relu")(hidden)
    model = keras.Model(inputs, keras.layers.Dense(1)(hidden))
    rate = hp.Float("learning_rate", 1e-3, 1.0, sampling="log")
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="mse", metrics=["mae"])
    return model
