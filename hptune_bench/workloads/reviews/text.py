"""From texts to the numbers that a text model reads.

Words are cleaned as in the notebook behind the post, except that they are not lemmatised (that would need a dictionary
to download). Word numbers: 0 is padding, 1 every word outside the vocabulary, and from 2 on the words by their
frequency in the TRAINING rows, the most frequent first. So a vocabulary of n is the numbers below n, and cutting an
encoded text to a smaller vocabulary needs no second look at the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np

PADDING, UNKNOWN, FIRST_WORD = 0, 1, 2

DROPPED = frozenset({"book", "movie", "film"})
"""Words that the notebook drops beside the stop words: they tell the kind of product, not what is thought of it."""

_CONTRACTION = re.compile(r"n['’]t\b|['’][^\W\d_]*")
_DIGITS = re.compile(r"\d+")
_LETTERS = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class Texts:
    """Texts as numbers of words in any numbering from 0, all in one array, one text after the other.

    Attributes:
        words: int32 (words of all texts,).
        lengths: int64 (texts,), words of each text.
    """

    words: np.ndarray
    lengths: np.ndarray

    def __len__(self) -> int:
        return len(self.lengths)

    def rows(self, start: int, stop: int) -> Texts:
        """The texts from ``start`` up to ``stop``, without copying."""
        ends = np.concatenate([[0], np.cumsum(self.lengths)])
        return Texts(self.words[ends[start] : ends[stop]], self.lengths[start:stop])

    def take(self, rows: np.ndarray) -> Texts:
        """The texts of these numbers, in this order."""
        starts, lengths = (np.cumsum(self.lengths) - self.lengths)[rows], self.lengths[rows]
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return Texts(self.words[np.repeat(starts, lengths) + within], lengths)

    def join(self, other: Texts) -> Texts:
        """These texts, then the others."""
        return Texts(np.concatenate([self.words, other.words]), np.concatenate([self.lengths, other.lengths]))


@cache
def stop_words() -> frozenset[str]:
    """scikit-learn's English stop words and the notebook's own three."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return frozenset(ENGLISH_STOP_WORDS) | DROPPED


def tokens(text: str) -> list[str]:
    """The words of a text that count: lower case, letters only, stop words dropped, nothing lemmatised.

    Digits vanish from inside words, the tail of a contraction is dropped (``don't`` leaves ``do``), and any other
    character ends a word.
    """
    plain = _DIGITS.sub("", _CONTRACTION.sub(" ", text.lower()))
    dropped = stop_words()
    return [word for word in _LETTERS.findall(plain) if word not in dropped]


def number(texts: Iterable[str]) -> tuple[Texts, tuple[str, ...]]:
    """Clean texts and number their words in the order of appearance; also the word of each number."""
    numbers: dict[str, int] = {}
    words: list[int] = []
    lengths: list[int] = []
    for text in texts:
        found = tokens(text)
        words.extend(numbers.setdefault(word, len(numbers)) for word in found)
        lengths.append(len(found))
    return Texts(np.array(words, np.int32), np.array(lengths, np.int64)), tuple(numbers)


def ranks(training: Texts, words: int) -> np.ndarray:
    """The vocabulary: int32 (words,), for each word its number by frequency in the training texts.

    Of words of equal frequency the one that appears first comes first; words that the training texts lack are
    ``UNKNOWN``.
    """
    found, first, counts = np.unique(training.words, return_index=True, return_counts=True)
    result = np.full(words, UNKNOWN, np.int32)
    result[found[np.lexsort((first, -counts))]] = np.arange(FIRST_WORD, FIRST_WORD + len(found), dtype=np.int32)
    return result


def encode(texts: Texts, vocabulary: np.ndarray, longest: int) -> np.ndarray:
    """The first ``longest`` words of each text: int32 (texts, longest), left-aligned, ``PADDING`` after the end."""
    starts = np.cumsum(texts.lengths) - texts.lengths
    places = np.arange(longest)
    inside = places < texts.lengths[:, None]
    encoded = np.full((len(texts), longest), PADDING, np.int32)
    encoded[inside] = vocabulary[texts.words[(starts[:, None] + places)[inside]]]
    return encoded


def cut(encoded: np.ndarray, word_count: int, vocab_count: int) -> np.ndarray:
    """What the model reads: int32 (texts, word_count), numbers below ``vocab_count``, padded at the front.

    Equal to Keras' ``pad_sequences(..., padding="pre", truncating="post")`` on the whole texts, as long as ``encoded``
    holds at least ``word_count`` words of each: the first words are kept and moved to the right end.
    """
    kept = encoded[:, :word_count]
    kept = np.where(kept < vocab_count, kept, UNKNOWN)
    missing = word_count - np.count_nonzero(kept, axis=1)
    source = np.arange(word_count) - missing[:, None]
    return np.where(source >= 0, np.take_along_axis(kept, np.maximum(source, 0), axis=1), PADDING).astype(np.int32)
