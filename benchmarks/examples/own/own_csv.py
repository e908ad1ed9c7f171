"""A model of your own and a CSV file: its other columns are the inputs, a matrix if all of them are numbers.

    hptune-bench run benchmarks/examples/own/own_csv.py:Classifier --data benchmarks/examples/own/own.csv --target kind

A ``keras_tuner.HyperModel`` with a ``fit`` of its own, which may tune what only ``fit`` knows.
"""

import keras
import keras_tuner

EPOCHS = 10
OBJECTIVE = "val_accuracy"


class Classifier(keras_tuner.HyperModel):
    def build(self, hp):
        model = keras.Sequential([keras.Input(shape=(2,))])
        model.add(keras.layers.Dense(hp.Int("units", 4, 32, step=4), activation="relu"))
        model.add(keras.layers.Dense(hp.Fixed("classes", 2), activation="softmax"))
        rate = hp.Float("learning_rate", 1e-3, 1e-1, sampling="log")
        model.compile(keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    def fit(self, hp, model, *args, **kwargs):
        return model.fit(*args, batch_size=hp.Choice("batch_size", [8, 32]), **kwargs)
