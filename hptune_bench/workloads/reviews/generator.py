"""Simulated product reviews: words drawn from a Zipf law that leans with the tone of the review.

There is one made-up language for all seeds, as English is one: word r of ``WORDS`` is drawn with probability
proportional to 1 / (r + ZIPF_OFFSET), the offset because the most frequent words of a language are its stop words, and
those are gone; some words carry a polarity, normally distributed. A review has 1 to 5 stars, all alike frequent. Its
tone is what the stars say plus noise: some praise is lukewarm, some complaints are polite. A word of polarity p is
exp(p * tone) times as likely as its frequency says (and all are scaled to sum to 1). Lengths are log-normal. What comes
out is what cleaning leaves of a text, as numbers of words; how a model cuts it is none of the generator's business.

The constants are fitted to the curve that the notebook published (``benchmarks/calibration/reviews.py``), for this one
language: it is the first that was drawn, its seed was not searched over, and another one would shift the whole curve of
val_loss by about 0.013 (standard deviation over six languages).
"""

from __future__ import annotations

from functools import cache

import numpy as np

from hptune_bench.workloads.reviews.text import Texts

WORDS = 6_000
ZIPF_OFFSET = 15.0
POLAR_SHARE = 0.28
POLARITY_SD = 0.68
STAR_TONE = (-1.0, -0.73, 0.0, 0.73, 1.0)
TONE_SD = 0.78
LOG_LENGTH_MEAN, LOG_LENGTH_SD = 3.68, 1.0
LONGEST = 1_000
LANGUAGE_SEED = 2021

TONE_STEP = 0.05
"""Tones are rounded to this, so that all reviews of one tone share one table of word probabilities."""


@cache
def polarities() -> np.ndarray:
    """Polarity of each word, 0 for most: float64 (WORDS,)."""
    rng = np.random.default_rng(LANGUAGE_SEED)
    polar = rng.random(WORDS) < POLAR_SHARE
    return np.where(polar, rng.normal(0.0, POLARITY_SD, WORDS), 0.0)


def generate(seed: int, reviews: int) -> tuple[Texts, np.ndarray]:
    """Draw reviews: their words as numbers below ``WORDS``, and their stars, int64 (reviews,), 1 to 5."""
    rng = np.random.default_rng(seed)
    stars = rng.integers(1, 6, reviews)
    tone = np.asarray(STAR_TONE)[stars - 1] + rng.normal(0.0, TONE_SD, reviews)
    lengths = np.exp(rng.normal(LOG_LENGTH_MEAN, LOG_LENGTH_SD, reviews)).astype(np.int64).clip(1, LONGEST)
    uniform = rng.random(int(lengths.sum()))
    steps = np.round(tone / TONE_STEP).astype(np.int64)
    # Texts of one tone are drawn together: sorted by tone, each tone is one slice.
    order = np.argsort(steps, kind="stable")
    sorted_words = np.empty(len(uniform), np.int32)
    tones, first = np.unique(steps[order], return_index=True)
    ends = np.concatenate([[0], np.cumsum(lengths[order])])
    bounds = ends[np.append(first, reviews)]
    log_frequency = -np.log(np.arange(1, WORDS + 1) + ZIPF_OFFSET)
    for step, start, stop in zip(tones, bounds, bounds[1:], strict=False):
        cumulative = np.cumsum(np.exp(log_frequency + step * TONE_STEP * polarities()))
        sorted_words[start:stop] = np.searchsorted(cumulative, uniform[start:stop] * cumulative[-1], side="right")
    return Texts(sorted_words, lengths[order]).take(np.argsort(order)), stars
