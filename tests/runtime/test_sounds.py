"""Synthesised words: each depends on its own index alone, spectra are what SciPy says, and words can be told apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.fft import dct

from specc.runtime.data.datasets import load_data
from specc.runtime.data.images import Data, Images
from specc.runtime.data.loading import Loading
from specc.runtime.data.sounds import RATE, STEP, WINDOW, bands, cepstrum, signals
from specc.runtime.data.targets import Kind
from specc.runtime.run.distributed import World
from tests.helpers.own_data import loaded, twice


def sounds(**more: Any) -> Data:
    settings = {"name": "sounds", "path": "", "validation": 0.25, "seed": 0, "images": 48, "test_images": 24}
    return load_data({**settings, **more}, Kind("classes", 12))


def test_a_sound_depends_on_its_seed_split_and_index_alone() -> None:
    many, few = (signals(3, 0, np.arange(n), 12, 0.1) for n in (30, 7))
    assert np.array_equal(many[:7], few)
    for other in (signals(4, 0, np.arange(7), 12, 0.1), signals(3, 1, np.arange(7), 12, 0.1)):
        assert not np.array_equal(other, few)
    assert np.abs(many).max() <= 1
    quiet = signals(3, 0, np.arange(30), 12, 0.0)
    assert (quiet[:, :400] == 0).all()  # no word begins in the first twentieth of a second
    assert (np.abs(quiet).max(axis=1) > 0.29).all()


def test_the_cepstrum_is_that_of_scipy() -> None:
    wave = signals(0, 0, np.arange(3), 12, 0.1)
    found = cepstrum(wave)
    assert found.shape == (3, 49, 10)
    for frame in (0, 20, 48):
        part = wave[:, frame * STEP : frame * STEP + WINDOW].astype(np.float64) * np.hanning(WINDOW)
        power = np.abs(np.fft.fft(part, 512)[:, :257]) ** 2
        levels = np.log(np.stack([(power * band).sum(axis=1) for band in bands(257)], axis=1) + 1e-6)
        np.testing.assert_allclose(found[:, frame], dct(levels, norm="ortho")[:, :10], rtol=1e-4, atol=1e-3)


def test_a_tone_is_in_the_band_of_its_frequency() -> None:
    frequencies = np.linspace(0, RATE / 2, 257)
    for hertz in (300, 1_000, 2_500):
        band = int(bands(257)[:, np.abs(frequencies - hertz).argmin()].argmax())
        mel = 2595 * np.log10(1 + np.array([20, RATE / 2, hertz]) / 700)
        expected = (mel[2] - mel[0]) / (mel[1] - mel[0]) * 41 - 1
        assert abs(band - expected) <= 1


def test_words_can_be_told_apart_by_the_nearest_mean() -> None:
    """A classifier of no training at all: far better than guessing, far from perfect."""
    data = sounds(images=480, test_images=120)
    train, test = (part.arrays[0][:].flatten(1) for part in (data.train, data.test))
    labels = torch.tensor(data.train.labels)
    means = torch.stack([train[labels == word].mean(dim=0) for word in range(12)])
    right = (torch.cdist(test, means).argmin(dim=1) == torch.tensor(data.test.labels)).float().mean()
    assert 0.3 < float(right) < 0.99
    assert {*data.test.labels} == set(range(12))


def test_spectra_and_signals_are_normalised() -> None:
    world = World(0, 1, torch.device("cpu"))
    for form, shape in (("spectrogram", (1, 49, 10)), ("signal", (1, 1, 8_000))):
        data = sounds(form=form)
        ((inputs, _),) = Loading(data, shape, world).evaluation(data.train)
        assert isinstance(inputs, torch.Tensor)
        assert tuple(inputs.shape[1:]) == shape
        assert abs(float(inputs.mean())) < 1e-3
        assert abs(float(inputs.std()) - 1) < 1e-2
    with pytest.raises(SystemExit, match="sounds has signals of 8,000 numbers, the network takes 4,000"):
        Loading(data, (1, 1, 4_000), world)
    with pytest.raises(SystemExit, match="sounds have a class each, and the network predicts tags"):
        load_data({"name": "sounds", "path": "", "validation": 0.0, "seed": 0}, Kind("tags", 3))
    with pytest.raises(SystemExit, match="sounds come in 2 to 12 classes, not 20"):
        sounds(classes=20)


def test_signals_of_ones_own_have_channels(tmp_path: Path) -> None:
    world = World(0, 1, torch.device("cpu"))
    body = twice("rng.normal(0, 1, (8, 3, 50))", "np.arange(8) % 2")
    data = loaded(tmp_path, body, Kind("classes", 2))
    ((inputs, _),) = Loading(data, (3, 1, 50), world).evaluation(data.test)
    given = data.test.arrays[0][:]
    assert isinstance(inputs, torch.Tensor)
    assert torch.equal(inputs, given.transpose(1, 2))
    assert isinstance(data.train, Images)
    for shape in ((3, 1, 40), (1, 1, 50)):
        with pytest.raises(SystemExit, match=r"own has|signals"):
            Loading(data, shape, world)
    mono = loaded(tmp_path, twice("rng.normal(0, 1, (8, 1, 50))", "np.arange(8) % 2"), Kind("classes", 2))
    ((inputs, _),) = Loading(mono, (1, 1, 50), world).evaluation(mono.test)
    assert isinstance(inputs, torch.Tensor)
    assert torch.equal(inputs, mono.test.arrays[0][:])
