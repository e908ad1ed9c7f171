"""The post's first problem: generator, cleaning and cutting of texts, review files, the workload itself."""

from __future__ import annotations

import csv
import gzip
import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hptune_bench.casestudy import review_published
from hptune_bench.core.errors import UserError
from hptune_bench.core.protocols import Data, Job
from hptune_bench.workloads import review_sentiment_as_written, review_sentiment_wide
from hptune_bench.workloads.review_sentiment import workload
from hptune_bench.workloads.reviews import files as review_files
from hptune_bench.workloads.reviews import generator as review_generator
from hptune_bench.workloads.reviews import splits as review_splits
from hptune_bench.workloads.reviews.text import PADDING, UNKNOWN, Texts, cut, encode, number, ranks, tokens

# --- texts ---------------------------------------------------------------------------------------------------------


def test_tokens_drop_stop_words_digits_and_signs_and_lemmatise_nothing() -> None:
    text = "The BOOK2 isn't what I've wanted!! Cats running; best-loved movies, 3 stars (déjà vu)"
    assert tokens(text) == ["wanted", "cats", "running", "best", "loved", "movies", "stars", "déjà", "vu"]


def test_vocabulary_ranks_by_frequency_then_by_first_appearance() -> None:
    texts, words = number(["zebra apple apple", "apple pear zebra kiwi pear", "plum"])
    vocabulary = ranks(texts.rows(0, 2), len(words))
    assert dict(zip(words, vocabulary.tolist(), strict=True)) == {
        "apple": 2,
        "zebra": 3,  # twice, like pear, but seen first
        "pear": 4,
        "kiwi": 5,
        "plum": UNKNOWN,  # not in the training texts
    }


@pytest.mark.parametrize(("word_count", "vocab_count"), [(1, 3), (7, 5), (20, 40)])
def test_cutting_equals_keras_pad_sequences(word_count: int, vocab_count: int) -> None:
    from keras.utils import pad_sequences

    rng = np.random.default_rng(0)
    lengths = rng.integers(0, 45, 200)
    texts = Texts(rng.integers(0, 60, lengths.sum()).astype(np.int32), lengths)
    vocabulary = ranks(texts.rows(0, 100), 60)
    whole = [vocabulary[row] for row in np.split(texts.words, np.cumsum(lengths)[:-1])]
    limited = [np.where(row < vocab_count, row, UNKNOWN) for row in whole]
    expected = pad_sequences(limited, maxlen=word_count, padding="pre", truncating="post", value=PADDING)
    got = cut(encode(texts, vocabulary, 20), word_count, vocab_count)
    assert got.dtype == expected.dtype == np.int32
    np.testing.assert_array_equal(got, expected)


# --- generator -----------------------------------------------------------------------------------------------------


def test_generator_is_a_function_of_seed_and_size_and_knows_nothing_of_the_cut() -> None:
    assert list(inspect.signature(review_generator.generate).parameters) == ["seed", "reviews"]
    texts, stars = review_generator.generate(5, 300)
    again, again_stars = review_generator.generate(5, 300)
    other, _ = review_generator.generate(6, 300)
    np.testing.assert_array_equal(texts.words, again.words)
    np.testing.assert_array_equal(stars, again_stars)
    assert not np.array_equal(texts.words[:1000], other.words[:1000])
    assert len(texts.words) == texts.lengths.sum()
    assert texts.lengths.max() > 100  # longer than any word_count of the space


def test_generator_follows_its_law() -> None:
    texts, stars = review_generator.generate(1, 20_000)
    np.testing.assert_allclose(np.bincount(stars, minlength=6)[1:] / 20_000, 0.2, atol=0.012)
    owner = np.repeat(stars, texts.lengths)
    mean_polarity = [review_generator.polarities()[texts.words[owner == star]].mean() for star in range(1, 6)]
    assert np.all(np.diff(mean_polarity) > 0)  # also shows that the words came back to their own reviews
    assert np.median(texts.lengths) == pytest.approx(np.exp(review_generator.LOG_LENGTH_MEAN), rel=0.03)
    neutral = np.flatnonzero(review_generator.polarities() == 0)[:2]
    counts = np.bincount(texts.words, minlength=review_generator.WORDS)[neutral]
    frequencies = 1 / (neutral + 1 + review_generator.ZIPF_OFFSET)
    assert counts[0] / counts[1] == pytest.approx(frequencies[0] / frequencies[1], rel=0.05)


# --- the workload --------------------------------------------------------------------------------------------------


def same(a: Data, b: Data) -> bool:
    pairs = zip((a.train, a.validation, a.test), (b.train, b.validation, b.test), strict=True)
    return all(
        np.array_equal(p.x, q.x) and np.array_equal(p.y, q.y) for p, q in pairs if p is not None and q is not None
    )


def test_splits_have_their_shapes_shares_and_seeds() -> None:
    reviews = workload()
    data = reviews.load(3)
    assert data.test is not None
    assert [len(split) for split in (data.train, data.validation, data.test)] == [3500, 1500, 5000]
    for split in (data.train, data.validation, data.test):
        assert split.x.shape == (len(split), 100)
        assert split.x.dtype == np.int32
        assert split.y.dtype == np.float32
        np.testing.assert_array_equal(split.y.sum(axis=1), 1)
        np.testing.assert_allclose(split.y.mean(axis=0), [0.4, 0.2, 0.4], atol=0.05)
    assert same(data, reviews.load(3))
    assert not same(data, reviews.load(4))


def test_splits_are_disjoint_draws() -> None:
    data = workload().load(0)
    assert data.test is not None
    long = [split.x[np.all(split.x[:, :30] != PADDING, axis=1)] for split in (data.train, data.validation, data.test)]
    rows = [tuple(row) for split in long for row in split]
    assert len(rows) > 5_000
    assert len(set(rows)) == len(rows)


def test_vocabulary_comes_from_training_rows_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = workload(reviews=200).load(0)
    original = review_generator.generate

    def changed(seed: int, reviews: int) -> tuple[Texts, np.ndarray]:
        texts, stars = original(seed, reviews)
        first = texts.lengths[: round(reviews * 0.7)].sum()
        words = texts.words.copy()
        words[first:] = review_generator.WORDS - 1  # validation rows of one rare word only
        return Texts(words, texts.lengths), stars

    monkeypatch.setattr(review_generator, "generate", changed)
    other = workload(reviews=200).load(0)
    np.testing.assert_array_equal(plain.train.x, other.train.x)
    assert not np.array_equal(plain.validation.x, other.validation.x)


def test_prepare_cuts_every_split_and_leaves_the_loaded_data_alone() -> None:
    reviews = workload(reviews=500)
    data = reviews.load(0)
    before = data.train.x.copy()
    prepared = reviews.prepare({"word_count": 15, "vocab_count": 500}, data)
    for split, whole in (
        (prepared.train, data.train),
        (prepared.validation, data.validation),
        (prepared.test, data.test),
    ):
        np.testing.assert_array_equal(split.x, cut(whole.x, 15, 500))
        assert split.x.max() < 500
    np.testing.assert_array_equal(data.train.x, before)


def test_space_and_manual_values_are_the_notebooks() -> None:
    reviews = workload()
    assert reviews.hand_picked == {
        "word_count": tuple(range(10, 101, 5)),
        "vocab_count": tuple(range(500, 1501, 100)),
    }
    assert sum(map(len, reviews.hand_picked.values())) == 30
    for configuration in (reviews.untuned, reviews.published):
        assert configuration is not None
        reviews.space.check(configuration, "here")
    assert reviews.data_label == "simulated"
    assert reviews.options == {}
    assert workload(reviews=700).options == {"reviews": 700}


def test_cap_is_what_guessing_gives() -> None:
    reviews = workload(reviews=1000)
    data = reviews.load(0)
    shares = data.train.y.mean(axis=0)
    expected = -np.mean([np.log(shares[row.argmax()]) for row in data.validation.y])
    assert reviews.cap(data) == pytest.approx(expected, rel=1e-6)
    assert reviews.cap(data) == pytest.approx(1.055, abs=0.03)  # entropy of 0.4, 0.2, 0.4


def test_model_is_the_notebooks_and_learns() -> None:
    import keras

    from hptune_bench.training.stock import trainer

    reviews = workload(reviews=3000)
    configuration = {"word_count": 40, "vocab_count": 600}
    prepared = reviews.prepare(configuration, reviews.load(0))
    model = reviews.build(configuration, prepared)
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == ["Embedding", "Dropout", "GlobalAveragePooling1D", "Dropout", "Dense", "Dense", "Dense"]
    assert model.count_params() == 600 * 16 + (16 * 64 + 64) + (64 * 32 + 32) + (32 * 3 + 3)
    assert isinstance(model.optimizer, keras.optimizers.Adam)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.001)
    outcome = trainer(reviews).train(Job(configuration, reviews.full_epochs, data_seed=0, training_seed=1))
    assert len(outcome.history) == 5
    assert {reviews.objective, *reviews.metrics} <= set(outcome.history[0])
    cap = reviews.cap(prepared)
    assert min(epoch["val_loss"] for epoch in outcome.history) < cap - 0.05
    assert outcome.test()[reviews.test_metric] < cap - 0.05


def test_import_and_load_without_tensorflow() -> None:
    code = (
        "import sys; from hptune_bench.casestudy import review_published; "
        "from hptune_bench.workloads.review_sentiment import workload; "
        "w = workload(); w.prepare(w.untuned, w.load(1)); print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["False", "False"]


def test_published_loops_lie_in_the_search_space() -> None:
    space = workload().space
    for point in review_published.WORD_COUNT_LOOP:
        space.check({"word_count": point.value, "vocab_count": review_published.VOCAB_COUNT}, "first loop")
    assert [point.value for point in review_published.VOCAB_COUNT_LOOP] == list(space["vocab_count"].grid or ())


# --- review files --------------------------------------------------------------------------------------------------

GOOD = [
    (score, f"title {score}", f'He said "great {score}", and, well: word{chr(97 + score)} liked')
    for score in range(1, 6)
]


def write(path: Path, rows: list[tuple[object, ...]], broken: bytes = b"") -> Path:
    """A file of the real format: no header, every field quoted, quotes doubled."""
    opened = gzip.open if path.name.endswith(".gz") else open
    with opened(path, "wt", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    if broken:
        with opened(path, "ab") as file:
            file.write(broken)
    return path


def numbered(count: int, word: str = "word") -> list[tuple[object, ...]]:
    """Reviews that can be told apart: the text of each is one word of its own."""
    names = ["".join(chr(97 + int(digit)) for digit in f"{index:04d}") for index in range(count)]
    return [(index % 5 + 1, "nice", f"{word}{name}") for index, name in enumerate(names)]


@pytest.mark.parametrize("name", ["train.csv", "reviews.csv.gz"])
def test_file_is_read_as_the_workload_says(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, GOOD * 80)
    reviews = workload(data=str(path), reviews=150)
    assert (reviews.data_label, reviews.title) == ("", f"review sentiment ({name})")
    data = reviews.load(0)
    assert data.test is not None
    assert [len(split) for split in (data.train, data.validation, data.test)] == [105, 45, 150]
    assert data.facts["usable_rows"] == 400
    assert data.facts["malformed_rows"] == 0
    # title, said, great, word?, liked: in this order, whatever their numbers are
    assert set(np.count_nonzero(data.train.x, axis=1)) == {5}
    own_word = data.train.x[:, 3]
    for label in range(3):
        assert len(set(own_word[data.train.y[:, label] == 1])) == (1 if label == 1 else 2)
    assert same(data, reviews.load(0))
    assert not same(data, reviews.load(1))


def test_file_sample_is_disjoint_and_uses_every_part_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "reviews.csv", numbered(2000))
    sample = review_files.sample(path, 1000, seed=1)
    assert len(set(sample.texts)) == 1000
    positions = {text: index for index, (_, _, text) in enumerate(numbered(2000))}
    drawn = np.array([positions[text.removeprefix("nice ")] for text in sample.texts])
    assert np.all(sample.labels == drawn % 5 + 1)
    assert abs(np.mean(drawn) - 999.5) < 5 * 2000 / np.sqrt(12 * 1000)
    assert abs(np.corrcoef(drawn, np.arange(1000))[0, 1]) < 0.15  # in random order, so that it can be split by position


def table(path: Path, labels: list[str], rows: int, header: str = "Id,Review,Sentiment") -> Path:
    """A file whose header names its columns, of texts in which the label is a word."""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(f"{header}\n")
        csv.writer(file).writerows(
            (index, f'well, "{labels[index % len(labels)]}" it is', labels[index % len(labels)])
            for index in range(rows)
        )
    return path


@pytest.mark.parametrize(
    "labels", [["good", "bad"], ["b", "c", "a"], ["2", "1"], list("1234"), list("12345"), list("ecadb"), list("123456")]
)
def test_any_table_of_texts_and_labels_is_taken_whole(tmp_path: Path, labels: list[str]) -> None:
    path = table(tmp_path / "mine.csv", labels, 600)
    with pytest.warns(UserWarning, match="rows for 300 reviews"):
        data = workload(data=str(path)).load(0)
    assert data.test is not None
    assert [len(split) for split in (data.train, data.validation, data.test)] == [210, 90, 300]
    scores = labels in (list("1234"), list("12345"))
    classes = [0, 0, 1, 2, 2][: len(labels)] if scores else np.argsort(np.argsort(labels))
    # The texts of a class differ from those of another in one word, so that their numbers tell the classes.
    shares = data.train.y.mean(axis=0)
    assert shares == pytest.approx(np.bincount(classes) / len(labels), abs=0.1)
    if not scores:
        word = data.train.x[np.arange(210), (data.train.x != data.train.x[0]).any(axis=0).argmax()]
        assert all(len(set(word[data.train.y[:, number] == 1])) == 1 for number in range(len(labels)))


@pytest.mark.parametrize(
    ("labels", "header", "says"),
    [
        (
            [f"l{number:02d}" for number in range(51)],
            "id,text,label",
            r"more than 50 labels, too many for classes \('l00', 'l01', 'l02', \.\.\.\)",
        ),
        (["a"], "id,text,label", "has one label"),
        (["a", "b"], "id,words,label", "are not reviews; expected"),
    ],
)
def test_a_table_that_the_problem_cannot_hold_is_refused(
    tmp_path: Path, labels: list[str], header: str, says: str
) -> None:
    path = table(tmp_path / "mine.csv", labels, 600, header)
    with pytest.raises(UserError, match=says) as caught:
        workload(data=str(path)).load(0)
    assert "\n" not in str(caught.value)


def test_labels_further_on_than_the_first_look_count_too(tmp_path: Path) -> None:
    """The first thousand rows have two labels, the file has fifty: that many is the most."""
    path = table(tmp_path / "mine.csv", ["00", "01"], 1100)
    with path.open("a", encoding="utf-8") as file:
        file.writelines(f"1,late words,{number % 50:02d}\n" for number in range(1000))
    reviews = workload(data=str(path), reviews=200)
    assert reviews.load(0).train.y.shape == (140, 50)
    with path.open("a", encoding="utf-8") as file:
        file.write("1,later words,50\n")
    with pytest.raises(UserError, match="more than 50 labels"):
        reviews.load(0)


def test_a_class_without_training_rows_leaves_the_constant_predictor_finite(tmp_path: Path) -> None:
    path = table(tmp_path / "mine.csv", ["a"] * 399 + ["b"], 400)
    reviews = workload(data=str(path), reviews=150)
    draws = [reviews.load(seed) for seed in range(12)]
    caps = {bool(data.train.y.sum(axis=0).all()): reviews.cap(data) for data in draws}
    assert set(caps) == {True, False}
    assert all(np.isfinite(reviews.cap(data)) for data in draws)
    assert caps[False] == pytest.approx(-np.log(106 / 107), abs=0.2)


@pytest.mark.parametrize("make", [workload, review_sentiment_wide.workload, review_sentiment_as_written.workload])
@pytest.mark.parametrize("labels", [["bad", "good"], list("abcde")])
def test_a_trial_on_named_classes_has_an_output_for_each(
    tmp_path: Path, make: Callable[..., Any], labels: list[str]
) -> None:
    from hptune_bench.training.compiled import trainer

    path = table(tmp_path / "mine.csv", labels, 1000)
    problem = make(data=str(path), reviews=100)
    data = problem.load(0)
    assert data.train.y.shape == (70, len(labels))
    assert problem.build(problem.untuned, problem.prepare(problem.untuned, data)).output_shape == (None, len(labels))
    assert problem.cap(data) == pytest.approx(np.log(len(labels)), abs=0.2)
    outcome = trainer(problem).train(Job(problem.untuned, 2, data_seed=0, training_seed=1))
    assert [np.isfinite(epoch["val_loss"]) for epoch in outcome.history] == [True, True]
    assert outcome.history[0]["val_loss"] == pytest.approx(np.log(len(labels)), abs=0.2)


def test_a_test_file_may_lack_a_class_but_not_have_another(tmp_path: Path) -> None:
    table(tmp_path / "train.csv", ["a", "b", "c"], 300)
    table(tmp_path / "test.csv", ["c", "b"], 300)
    data = workload(data=str(tmp_path), reviews=200).load(0)
    assert data.test is not None
    assert data.test.y.mean(axis=0) == pytest.approx([0, 0.5, 0.5], abs=0.1)
    table(tmp_path / "test.csv", ["c", "b", "d"], 300)
    with pytest.raises(UserError, match=r"different labels \('d'\)"):
        workload(data=str(tmp_path), reviews=200).load(0)
    table(tmp_path / "test.csv", list("12345"), 300)
    with pytest.raises(UserError, match="different labels"):
        workload(data=str(tmp_path), reviews=200).load(0)
    table(tmp_path / "train.csv", list("12345"), 300)
    table(tmp_path / "test.csv", list("531"), 300)
    data = workload(data=str(tmp_path), reviews=200).load(0)
    assert data.test is not None
    assert data.test.y.mean(axis=0) == pytest.approx([1 / 3, 1 / 3, 1 / 3], abs=0.1)


def test_folder_takes_the_test_split_from_the_test_file(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", numbered(300, "tune"))
    write(tmp_path / "test.csv.gz", numbered(300, "held"))
    data = workload(data=str(tmp_path), reviews=200).load(0)
    assert data.test is not None
    assert np.all(data.test.x[:, 1] == UNKNOWN)
    assert np.all(data.train.x[:, 1] > UNKNOWN)


def test_malformed_rows_are_counted_and_reported(tmp_path: Path) -> None:
    broken = (
        b'"7","score","out of range"\n"3","two fields"\n"1","a","b","c"\n"x","no","number"\n'
        b'"4","latin-1","caf\xe9 tr\xe8s bon"\n\n'  # and an empty line, which is no row
    )
    path = write(tmp_path / "reviews.csv", GOOD * 60, broken)
    with pytest.warns(UserWarning, match="5 malformed rows"):
        data = workload(data=str(path), reviews=100).load(0)
    assert (data.facts["usable_rows"], data.facts["malformed_rows"]) == (300, 5)


def test_a_quote_that_is_never_closed_costs_only_a_stretch_of_the_file(tmp_path: Path) -> None:
    rows = [(1, "fine", "word " * 50)] * 2000
    path = write(tmp_path / "reviews.csv", rows[:500])
    with path.open("a", encoding="utf-8") as file:
        file.write('"2","open","never closed\n')
        file.writelines(f"{score},{title},{text}\n" for score, title, text in rows)
    sample = review_files.sample(path, 500, seed=0)
    assert sample.malformed >= 1
    assert 1900 < sample.rows < 2500


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("other.csv", b"id,name,price\n" + b"1,apple,3.5\n" * 50 + b"12,pear,1\n" * 50, "are not reviews"),
        ("wide.csv", b"5,a,b,c\n" * 100, "are not reviews"),
        ("utf16.csv", "5,a,b\n".encode("utf-16") * 100, "are not reviews"),
        ("bytes.csv", bytes(range(256)) * 50, "are not reviews"),
        ("empty.csv", b"", "is empty"),
        ("plain.csv.gz", b"5,a,b\n" * 100, "damaged"),
        ("cut.csv.gz", gzip.compress(b"5,a,b\n" * 100, mtime=0)[:-12], "damaged"),
        ("reviews.json", b"{}", "must be a .csv or .csv.gz"),
    ],
)
def test_wrong_file_is_refused_before_anything_runs(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError, match=says) as caught:
        workload(data=str(path))
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"data": "/no/such/file.csv"}, "no such file"),
        ({"data": ""}, "give the path"),
        ({"data": 3}, "give the path"),
        ({"reviews": 50}, "at least 100"),
        ({"reviews": 2.5}, "at least 100"),
        ({"review": 500}, "unknown option 'review'; it has data, reviews$"),
        ({"engine": "xla"}, "unknown option 'engine'"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, object], says: str) -> None:
    with pytest.raises(UserError, match=says):
        workload(**options)


def test_too_few_rows_and_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"neither train\.csv nor train\.csv\.gz"):
        workload(data=str(tmp_path))
    path = write(tmp_path / "reviews.csv", GOOD * 30)
    with pytest.raises(UserError, match="150 usable rows and 200 are needed"):
        workload(data=str(path), reviews=100).load(0)


def test_classes_are_the_notebooks() -> None:
    assert review_splits.CLASS_OF_STARS[np.array([1, 2, 3, 4, 5]) - 1].tolist() == [0, 0, 1, 2, 2]
