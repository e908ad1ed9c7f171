"""The regression of the post with copied values: no tuning."""

import keras
import numpy as np

rng = np.random.default_rng(1)
x = np.linspace(0, 100, 10_000)
y = x + rng.uniform(-10, 10, x.size)
order = rng.permutation(x.size)
x, y = x[order], y[order]
x_train, y_train = x[:8_000], y[:8_000]
x_val, y_val = x[8_000:9_000], y[8_000:9_000]
x_test, y_test = x[9_000:], y[9_000:]

normalizer = keras.layers.Normalization(axis=None)
normalizer.adapt(x_train)
model = keras.Sequential(
    [
        keras.Input(shape=(1,)),
        normalizer,
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(1),
    ]
)
model.compile(optimizer=keras.optimizers.Adam(0.001), loss="mse")
early_stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=10, restore_best_weights=True)
model.fit(x_train, y_train, validation_data=(x_val, y_val), epochs=50, callbacks=[early_stop], verbose=0)
print("test loss", model.evaluate(x_test, y_test, verbose=0))
