"""KerasTuner's BayesianOptimization, with its defaults."""

import keras
import keras_tuner
import numpy as np

rng = np.random.default_rng(1)
x = np.linspace(0, 100, 10_000)
y = x + rng.uniform(-10, 10, x.size)
order = rng.permutation(x.size)
x, y = x[order], y[order]
x_train, y_train = x[:8_000], y[:8_000]
x_val, y_val = x[8_000:9_000], y[8_000:9_000]
x_test, y_test = x[9_000:], y[9_000:]


def build_model(hp):
    model = keras.Sequential([keras.Input(shape=(1,))])
    if hp.Boolean("normalize"):
        normalizer = keras.layers.Normalization(axis=None)
        normalizer.adapt(x_train)
        model.add(normalizer)
    neurons = hp.Int("neurons", min_value=4, max_value=32, step=4)  # choose 3
    model.add(keras.layers.Dense(neurons, activation="relu"))
    model.add(keras.layers.Dense(1))
    learning_rate = hp.Float("learning_rate", min_value=0.0001, max_value=0.2, sampling="log")  # choose 3
    if hp.Choice("optimizer", ["adam", "sgd"]) == "adam":
        chosen = keras.optimizers.Adam(learning_rate)
    else:
        chosen = keras.optimizers.SGD(learning_rate * 10)
    model.compile(optimizer=chosen, loss="mse")
    return model


tuner = keras_tuner.BayesianOptimization(build_model, objective="val_loss", max_trials=10, overwrite=True)  # choose 1
early_stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=10)
tuner.search(x_train, y_train, validation_data=(x_val, y_val), epochs=50, callbacks=[early_stop], verbose=0)
best = tuner.get_best_models()[0]
print("test loss", best.evaluate(x_test, y_test, verbose=0))
