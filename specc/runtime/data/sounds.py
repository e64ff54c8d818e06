"""Short synthesised words, for networks that spot keywords: signals, or images of their spectra, nothing downloaded.

A word is a fixed sequence of syllables, each a glide of two resonances over a voice; speakers differ in pitch, speed,
loudness and when they begin, and there is noise behind. Every sound is a function of (seed, split, index) alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from specc.runtime.data.images import Images, Parts
from specc.runtime.data.keyed import Floats, bits, grains, uniform
from specc.runtime.data.targets import Wanted

WORDS: Final = 12
"""Different words at most."""

RATE: Final = 8_000
"""Numbers a second; a sound lasts one second."""

SYLLABLES: Final = 3
"""Of a word at most."""

HARMONICS: Final = 16
"""Of a voice."""

WINDOW: Final = 320
STEP: Final = 160
"""Numbers of a frame of 40 ms, and between the beginnings of two: 49 frames."""

BANDS: Final = 40
"""Of the mel scale, of which 10 cepstral coefficients are made."""

COEFFICIENTS: Final = 10

SHARES: Final = 16
"""Random numbers of a sound, before those of its noise."""


def sounds(folder: Path, settings: Mapping[str, Any], task: Wanted) -> Parts:
    """Training and test sounds of `[data]`: images, test_images, classes, noise and seed. With `form` "spectrogram"
    images (N, 1, 49, 10) of cepstral coefficients, with "signal" (N, 1, 1, 8000) from -1 to 1."""
    if task.kind != "classes":
        raise SystemExit(f"sounds have a class each, and the network predicts {task.kind}")
    classes = int(settings.get("classes", WORDS))
    if not 2 <= classes <= WORDS:
        raise SystemExit(f"sounds come in 2 to {WORDS} classes, not {classes}")
    counts = int(settings.get("images", 2_400)), int(settings.get("test_images", 600))
    seed, noise = int(settings.get("seed", 0)), float(settings.get("noise", 0.1))
    form = str(settings.get("form", "spectrogram"))
    train, test = (
        spoken(seed, split, count, classes, noise, form) for split, count in enumerate(counts)
    )
    return Parts(train, test, tuple(f"word {i}" for i in range(classes)), standardised=True)


@lru_cache(maxsize=4)
def spoken(seed: int, split: int, count: int, classes: int, noise: float, form: str) -> Images:
    """The first `count` sounds of a split; sound i is word i mod `classes`."""
    shape = (1, RATE) if form == "signal" else (49, COEFFICIENTS)
    made = np.zeros((count, 1, *shape), np.float32)
    for first in range(0, count, 100):
        indices = np.arange(first, min(first + 100, count))
        waves = signals(seed, split, indices, classes, noise)
        made[indices, 0] = waves[:, None] if form == "signal" else cepstrum(waves)
    return Images(tuple(i % classes for i in range(count)), (torch.from_numpy(made),))


def signals(
    seed: int, split: int, indices: NDArray[np.int64], classes: int, noise: float
) -> Floats:
    """Waves (n, RATE) from -1 to 1."""
    u = uniform(seed, split, indices, 0, SHARES)
    n = len(indices)
    word = indices % classes
    start, length = 0.05 + 0.2 * u[:, 0], 0.5 + 0.2 * u[:, 1]
    # Where in its word each number is, from 0 to 1; before and behind it is silence.
    time = np.arange(RATE, dtype=np.float32) / np.float32(RATE)
    through = (time[None, :] - start[:, None]) / length[:, None]
    pitch = (90 + 130 * u[:, 2])[:, None] * (1 + 0.15 * (u[:, 3, None] - 0.5) * through)
    phase = 2 * np.pi * np.cumsum(pitch / RATE, axis=1)
    low, high, loud = spelled(word, through.clip(0, 1), 0.9 + 0.2 * u[:, 4])
    wave = np.zeros((n, RATE), np.float32)
    for harmonic in range(1, HARMONICS + 1):
        frequency = harmonic * pitch
        gain = np.exp(-(((frequency - low) / 120) ** 2)) + 0.6 * np.exp(
            -(((frequency - high) / 180) ** 2)
        )
        wave += (gain + 0.03) * np.sin(harmonic * phase)
    wave *= loud * ((through > 0) & (through < 1))
    peak = np.abs(wave).max(axis=1, keepdims=True)
    wave *= (0.3 + 0.5 * u[:, 5])[:, None] / np.maximum(peak, 1e-6)
    hiss = grains(seed, split, indices, SHARES, RATE)
    found: Floats = (wave + 2 * noise * u[:, 6, None] * hiss).clip(-1, 1).astype(np.float32)
    return found


def spelled(
    word: NDArray[np.int64], through: Floats, tract: Floats
) -> tuple[Floats, Floats, Floats]:
    """Both resonances in Hz and the loudness of words, at places from 0 to 1 in them (n, RATE)."""
    # What a word is does not depend on the seed: its syllables are numbers of its own.
    drawn = bits(0, 0, np.arange(WORDS), 0, 1 + 4 * SYLLABLES) >> np.uint64(40)
    u = (drawn.astype(np.float32) / np.float32(1 << 24))[word]
    count = 2 + (u[:, :1] > 0.5)
    place = (through * count).clip(0, count - 1e-4)
    syllable = place.astype(np.int64)
    within = place - syllable
    rows = np.arange(len(word))[:, None]
    parts = [u[rows, 1 + 4 * syllable + i] for i in range(4)]
    low = (280 + 500 * (parts[0] + (parts[1] - parts[0]) * within)) * tract[:, None]
    high = (900 + 1_600 * (parts[2] + (parts[3] - parts[2]) * within)) * tract[:, None]
    loud = np.sin(np.pi * within).clip(0) ** 0.7
    return low.astype(np.float32), high.astype(np.float32), loud.astype(np.float32)


def cepstrum(waves: Floats) -> Floats:
    """Mel-frequency cepstral coefficients (n, 49, COEFFICIENTS): the cosine transform of the logarithm of what each
    band of the mel scale holds of every frame's power."""
    frames = np.lib.stride_tricks.sliding_window_view(waves, WINDOW, axis=1)[:, ::STEP]
    power = np.abs(np.fft.rfft(frames * np.hanning(WINDOW), 512, axis=2)) ** 2
    levels = np.log(power @ bands(257).T + 1e-6)
    found: Floats = (levels @ cosines().T).astype(np.float32)
    return found


@lru_cache(maxsize=2)
def bands(bins: int) -> NDArray[np.float64]:
    """Triangles (BANDS, bins) evenly spread on the mel scale, 2595 log10(1 + f / 700), from 20 Hz to half the rate."""
    mel = 2595 * np.log10(1 + np.array([20, RATE / 2]) / 700)
    edges = 700 * (10 ** (np.linspace(mel[0], mel[1], BANDS + 2) / 2595) - 1)
    frequencies = np.linspace(0, RATE / 2, bins)
    low, middle, high = (edges[i : i + BANDS, None] for i in range(3))
    rising = (frequencies - low) / (middle - low)
    falling = (high - frequencies) / (high - middle)
    made: NDArray[np.float64] = np.minimum(rising, falling).clip(0)
    return made


@lru_cache(maxsize=1)
def cosines() -> NDArray[np.float64]:
    """The orthonormal cosine transform (COEFFICIENTS, BANDS), its second kind."""
    places = (np.arange(BANDS) + 0.5) * np.pi / BANDS
    made: NDArray[np.float64] = np.cos(np.arange(COEFFICIENTS)[:, None] * places) * np.sqrt(
        2 / BANDS
    )
    made[0] /= np.sqrt(2)
    return made
