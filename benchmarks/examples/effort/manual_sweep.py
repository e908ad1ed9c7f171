"""The hand-written loop: one hyperparameter after the other, a curve drawn and a value picked by eye each time."""

import keras
import matplotlib.pyplot as plt
import numpy as np

rng = np.random.default_rng(1)
x = np.linspace(0, 100, 10_000)
y = x + rng.uniform(-10, 10, x.size)
order = rng.permutation(x.size)
x, y = x[order], y[order]
x_train, y_train = x[:8_000], y[:8_000]
x_val, y_val = x[8_000:9_000], y[8_000:9_000]
x_test, y_test = x[9_000:], y[9_000:]


def train(normalize, neurons, learning_rate, optimizer):
    layers = [keras.Input(shape=(1,))]
    if normalize:
        normalizer = keras.layers.Normalization(axis=None)
        normalizer.adapt(x_train)
        layers.append(normalizer)
    layers += [keras.layers.Dense(neurons, activation="relu"), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    if optimizer == "adam":
        chosen = keras.optimizers.Adam(learning_rate)
    else:
        chosen = keras.optimizers.SGD(learning_rate * 10)
    model.compile(optimizer=chosen, loss="mse")
    early_stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=10, restore_best_weights=True)
    history = model.fit(x_train, y_train, validation_data=(x_val, y_val), epochs=50, callbacks=[early_stop], verbose=0)
    return model, np.nanmin(history.history["val_loss"])


values = {
    "normalize": [False, True],
    "neurons": [4, 16, 32],  # choose 3
    "learning_rate": [0.0001, 0.001, 0.01, 0.1],  # choose 4
    "optimizer": ["adam", "sgd"],
}
picked = {"normalize": True, "neurons": 32, "learning_rate": 0.001, "optimizer": "adam"}
for name in values:
    losses = []
    for value in values[name]:
        model, loss = train(**{**picked, name: value})
        losses.append(loss)
        print(name, value, loss)
    plt.figure()
    plt.plot([str(value) for value in values[name]], losses)
    plt.savefig(f"{name}.png")
    place = int(input(f"{name}.png: which of {values[name]}? 0, 1, ... "))  # look 4, choose 4
    picked[name] = values[name][place]
best, _ = train(**picked)
print("test loss", best.evaluate(x_test, y_test, verbose=0))
