"""The text problem with nine hyperparameters, and with the notebook's mistakes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hptune_bench.core.keras_space import to_keras_tuner
from hptune_bench.core.protocols import Job
from hptune_bench.core.space import hand_picked
from hptune_bench.training.stock import trainer
from hptune_bench.workloads import review_sentiment, review_sentiment_as_written, review_sentiment_wide
from hptune_bench.workloads.reviews.text import Texts

FIRST = {"word_count": 30, "vocab_count": 600}


def test_wide_space_is_one_that_keras_tuner_takes_and_starts_at_the_notebooks_model() -> None:
    wide = review_sentiment_wide.workload(reviews=200)
    assert len(wide.space) == 9
    assert wide.space.check(wide.untuned, "here") == wide.untuned
    assert wide.hand_picked == hand_picked(wide.space, wide.untuned)
    assert [hp.name for hp in to_keras_tuner(wide.space).space] == list(wide.space.names)
    plain = review_sentiment.workload(reviews=200)
    data = wide.load(1)
    np.testing.assert_array_equal(data.train.x, plain.load(1).train.x)  # one family, one data
    ours, notebooks = wide.build(wide.untuned, data), plain.build(plain.untuned, data)
    assert [layer["class_name"] for layer in ours.get_config()["layers"]] == [
        layer["class_name"] for layer in notebooks.get_config()["layers"]
    ]
    assert ours.count_params() == notebooks.count_params()
    assert ours.optimizer.get_config()["learning_rate"] == pytest.approx(0.001)


@pytest.mark.parametrize(
    ("layers", "parameters"), [(0, 27), (1, 8 * 16 + 16 + 51), (2, 8 * 16 + 16 + 16 * 48 + 48 + 147)]
)
def test_wide_model_reads_its_configuration(layers: int, parameters: int) -> None:
    wide = review_sentiment_wide.workload(reviews=200)
    drawn = {**FIRST, "embedding": 8, "dropout": 0.4, "layers": layers, "learning_rate": 0.03, "batch_size": 64}
    configuration = wide.space.check({**drawn, "units_1": 16, "units_2": 48}, "here")
    model = wide.build(configuration, wide.load(0))
    assert model.count_params() == 600 * 8 + parameters
    assert [layer.rate for layer in model.layers if hasattr(layer, "rate")] == [0.4, 0.4]
    assert float(model.optimizer.learning_rate) == pytest.approx(0.03)
    assert wide.fit(configuration).batch_size == 64


def test_wide_trains() -> None:
    wide = review_sentiment_wide.workload(reviews=1000)
    configuration = {**wide.untuned, "word_count": 20, "learning_rate": 0.01}
    outcome = trainer(wide).train(Job(configuration, 2, data_seed=0, training_seed=1))
    assert all(np.isfinite(epoch["val_loss"]) for epoch in outcome.history)
    assert "loss" in outcome.test()


def test_as_written_reads_vocab_count_nowhere_but_draws_a_fresh_sample_for_it() -> None:
    written = review_sentiment_as_written.workload(reviews=300)
    data = written.load(0)
    small, again, large = (
        written.prepare({"word_count": 20, "vocab_count": count}, data) for count in (500, 500, 1500)
    )
    np.testing.assert_array_equal(small.train.x, again.train.x)
    assert not np.array_equal(small.train.x, large.train.x)
    assert not np.array_equal(small.validation.y, large.validation.y)
    assert large.train.x.max() < 500
    models = [written.build({"word_count": 20, "vocab_count": count}, data) for count in (500, 1500)]
    assert models[0].count_params() == models[1].count_params()
    assert (len(small.train), len(small.validation), small.test) == (210, 90, None)
    assert small.train.x.shape == (210, 20)
    assert data.train.y.shape == (210, 3)
    assert written.cap(data) == pytest.approx(1.05, abs=0.1)


def test_as_written_draws_each_row_once_per_sample() -> None:
    written = review_sentiment_as_written.workload(reviews=300)
    data = written.load(0)
    assert len(data.extra.texts) == 3000
    prepared = written.prepare({"word_count": 100, "vocab_count": 500}, data)
    long = [tuple(row) for split in (prepared.train, prepared.validation) for row in split.x if np.all(row[70:] != 0)]
    assert len(set(long)) == len(long) > 50


def test_as_written_fits_the_vocabulary_on_validation_rows_too() -> None:
    written = review_sentiment_as_written.workload(reviews=300)
    data = written.load(0)
    lengths = np.array([500] + [1] * 299)  # one review shouts a word of its own, the others say another word, once
    shout = Texts(np.repeat(np.arange(300) > 0, lengths).astype(np.int32), lengths)
    data = replace(data, extra=replace(data.extra, texts=shout, words=2, y=data.extra.y[:300]))
    shouting = [written.prepare({"word_count": 10, "vocab_count": count}, data) for count in range(500, 1501, 100)]
    heard = [split for split in shouting if np.any(split.validation.x == 2)]
    assert heard
    for split in heard:
        assert np.all(split.train.x[:, -1] == 3)


def test_as_written_trains() -> None:
    written = review_sentiment_as_written.workload(reviews=1000)
    outcome = trainer(written).train(Job(written.untuned, 2, data_seed=0, training_seed=1))
    assert all(np.isfinite(epoch["val_loss"]) for epoch in outcome.history)
    assert outcome.test() == {}
