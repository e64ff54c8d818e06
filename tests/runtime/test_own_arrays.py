"""Arrays of one's own: what trains, what is taken as it is, and what is refused in one line that names the file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from specc.runtime.data.datasets import check_classes, load_data
from specc.runtime.data.images import Data
from specc.runtime.data.loading import Loading
from specc.runtime.data.own import array_of, class_numbers
from specc.runtime.run.distributed import World
from tests.helpers.scripts import run, write_project

WORLD = World(0, 1, torch.device("cpu"))
HEAD = """
import numpy as np
import torch

rng = np.random.default_rng(0)
images = lambda *shape: rng.integers(0, 256, shape).astype(np.uint8)
labels = lambda n: np.arange(n) % 2
"""


def loaded(folder: Path, body: str) -> Data:
    """Data of a file whose `load` is this."""
    (folder / "mine.py").write_text(f"{HEAD}\ndef load(settings):\n    {body}\n")
    return load_data({"name": "own", "path": str(folder / "mine.py"), "validation": 0.25, "seed": 0})


def twice(inputs: str, labels: str = "labels(8)") -> str:
    return f"return [({inputs}, {labels})] * 2"


def batch(data: Data, shape: Any) -> Any:
    return next(iter(Loading(data, shape, WORLD).evaluation(data.test)))[0]


def test_floats_and_whole_numbers_are_taken_as_they_are(tmp_path: Path) -> None:
    for made in ("rng.normal(3, 2, (8, 5))", "torch.arange(40).view(8, 5) - 7", "rng.integers(-9, 9, (8, 5))"):
        data = loaded(tmp_path, twice(made))
        (array,) = data.test.arrays
        assert array.dtype == torch.float32
        assert torch.equal(batch(data, (5,)), array[:])
        assert data.notes[0].startswith("inputs 5 are taken as they are, from ")
    pictures = loaded(tmp_path, twice("rng.normal(0, 1, (8, 3, 6, 6))"))
    assert torch.equal(batch(pictures, (3, 6, 6)), pictures.test.arrays[0][:])


def test_bytes_and_sixteen_bits_are_scaled_and_normalised(tmp_path: Path) -> None:
    for body in (
        "images(64, 5)",
        "images(64, 2, 4, 4)",
        "images(64, 4, 4)",
        "(images(64, 2, 4, 4).astype(np.uint16) * 257)",
    ):
        data = loaded(tmp_path, twice(body, "labels(64)"))
        (array,) = data.test.arrays
        shape = tuple(array.shape[1:])
        found = batch(data, shape)
        assert abs(float(found.mean())) < 0.1
        assert 0.9 < float(found.std()) < 1.1
        assert Loading(data, shape, WORLD).scales() == [65535 if "uint16" in body else 255]


def test_constant_numbers_are_not_blown_up(tmp_path: Path) -> None:
    """A channel that is constant in training, and differs a little in the test images."""
    body = (
        "x = images(8, 2, 4, 4); x[:, 1] = 7; z = x.copy(); z[0, 1, 0, 0] = 8; return [(x, labels(8)), (z, labels(8))]"
    )
    assert float(batch(loaded(tmp_path, body), (2, 4, 4)).abs().max()) < 10


def test_an_image_becomes_the_vector_of_its_pixels(tmp_path: Path) -> None:
    data = loaded(tmp_path, twice("images(8, 2, 3, 3)"))
    assert torch.equal(batch(data, (18,)), batch(data, (2, 3, 3)).flatten(1))


def test_several_inputs_each_have_their_own_array(tmp_path: Path) -> None:
    for made in ("(images(8, 1, 6, 6), rng.normal(0, 1, (8, 4)))", "[images(8, 6, 6), rng.normal(0, 1, (8, 4))]"):
        data = loaded(tmp_path, twice(made))
        pictures, facts = batch(data, ((1, 6, 6), (4,)))
        assert pictures.shape == (8, 1, 6, 6)
        assert torch.equal(facts, data.test.arrays[1][:])
        colour, _ = batch(data, ((3, 12, 6), (4,)))  # resized, and grey repeated
        assert colour.shape == (8, 3, 12, 6)
    one = loaded(tmp_path, twice("images(8, 4, 6, 6)"))  # channels of all inputs in one array
    left, right = batch(one, ((1, 6, 6), (3, 3, 3)))
    assert (left.shape, right.shape) == ((8, 1, 6, 6), (8, 3, 3, 3))


def test_inputs_of_one_example_are_augmented_alike(tmp_path: Path) -> None:
    """A view and its twin are flipped and cut together; a vector beside them stays."""
    data = loaded(
        tmp_path, "x = images(32, 1, 8, 8); v = rng.normal(0, 1, (32, 3)); return [((x, x, v), labels(32))] * 2"
    )
    words: list[dict[str, Any]] = [
        {"name": "resized_crop", "smallest": 0.3},
        {"name": "flip"},
        {"name": "crop", "padding": 2},
    ]
    for workers in (0, 1):
        loading = Loading(data, ((1, 8, 8), (1, 8, 8), (3,)), WORLD, workers)
        (left, right, vectors), _ = next(loading.training(8, words, 0, 0))
        assert torch.equal(left, right)
        assert all(any(torch.equal(row, known) for known in data.train.arrays[2][:]) for row in vectors)


def test_names_of_classes_come_with_the_file(tmp_path: Path) -> None:
    data = loaded(tmp_path, twice("images(8, 5)") + "\n\nclasses = ['no', 'yes']")
    assert data.names == ("no", "yes")


REFUSED = {
    "one part": ("return [(images(8, 5), labels(8))]", "load returns 1 parts, not training and test data"),
    "four parts": (
        "return [(images(8, 5), labels(8))] * 4",
        "load returns 4 parts, .*; validation data is a third part, or held out of training data",
    ),
    "a dict": ("return {'train': 1, 'test': 2}", "load returns a dict"),
    "nothing": ("return None", "load returns NoneType"),
    "an array": ("return images(2, 5)", "load returns a ndarray"),
    "no pair": ("return images(8, 5), images(8, 5)", "the training part is no pair"),
    "no labels": (twice("images(8, 5)", "labels(7)"), "the training part has 8 examples and 7 labels"),
    "an empty part": ("return (images(8, 5), labels(8)), (images(0, 5), [])", "the test part is empty"),
    "a negative label": (twice("images(4, 5)", "[0, 1, -1, 0]"), "training label 2 is -1; class numbers from 0"),
    "an ignored label": (twice("images(4, 5)", "[0, -100, 1, 0]"), "training label 1 is -100"),
    "a share": (twice("images(4, 5)", "[0.0, 0.7, 1.0, 0.0]"), r"training label 1 is 0\.7"),
    "NaN as a label": (twice("images(4, 5)", "[0.0, 1.0, float('nan'), 0.0]"), "training label 2 is nan"),
    "a word": (twice("images(4, 5)", "['cat', 'dog', 'cat', 'dog']"), "training label 0 is 'cat'; class numbers"),
    "one-hot rows": (
        twice("images(4, 5)", "np.eye(4)"),
        r"rows of 4 numbers; class numbers are wanted: labels\.argmax",
    ),
    "NaN": (
        "x = rng.normal(0, 1, (4, 5)); x[2, 1] = np.nan; return [(x, labels(4))] * 2",
        "the training input 2 holds NaN or infinity",
    ),
    "one image": (twice("images(5)", "labels(5)"), r"the shape \(5,\); \(N, C, H, W\) of images or \(N, F\)"),
    "videos": (twice("images(4, 3, 2, 8, 8)", "labels(4)"), r"the shape \(4, 3, 2, 8, 8\)"),
    "words": (twice("np.array([['a'] * 5] * 8)"), "the training inputs are no array of numbers"),
    "ragged": (twice("[[1, 2], [3]] * 4"), "the training inputs are no array of numbers"),
    "other test inputs": (
        "return (images(8, 5), labels(8)), (images(8, 6), labels(8))",
        "training inputs are 5 of bytes, test inputs 6 of bytes",
    ),
    "other kinds": (
        "return (images(8, 5), labels(8)), (images(8, 5) / 255, labels(8))",
        "training inputs are 5 of bytes, test inputs 5 of floats",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_used_is_refused_by_name(name: str, tmp_path: Path) -> None:
    body, message = REFUSED[name]
    with pytest.raises(SystemExit, match=message) as stopped:
        loaded(tmp_path, body)
    said = str(stopped.value)
    assert said.startswith(f"{tmp_path / 'mine.py'}: ")
    assert "\n" not in said


@pytest.mark.parametrize(
    ("inputs", "shape", "message"),
    [
        ("images(8, 6, 6, 3)", (3, 6, 6), r"6 channels \(6x6x3\).*; channels come first: images\.transpose"),
        ("images(8, 6, 6, 1)", (1, 6, 6), "channels come first"),
        ("images(8, 32, 32, 3)", (3, 32, 32), "channels come first"),
        ("images(8, 32, 32, 3)", (1, 32, 32), "channels come first"),
        ("images(8, 4, 6, 6)", (3, 6, 6), r"own has images of 4 channels \(4x6x6\), the network takes 3"),
        ("images(8, 5)", (6,), "own has vectors of 5 numbers; the network takes vectors of 6 numbers"),
        ("images(8, 2, 2, 2)", (6,), "images 2x2x2, which are 8 numbers; the network takes vectors of 6"),
        ("images(8, 64)", (1, 8, 8), "own has vectors of 64 numbers; the network takes images 1x8x8"),
        ("(images(8, 5), images(8, 5))", (5,), "own has 2 inputs, the network takes 1: 5"),
        ("images(8, 5)", ((5,), (5,)), "own has vectors of 5 numbers; the network takes 2 inputs, 5, 5"),
        ("images(8, 3, 6, 6)", ((1, 6, 6), (1, 6, 6)), "own has images of 3 channels; the network takes 2 inputs"),
    ],
)
def test_data_that_does_not_go_with_the_network_is_refused(
    inputs: str, shape: Any, message: str, tmp_path: Path
) -> None:
    with pytest.raises(SystemExit, match=message):
        Loading(loaded(tmp_path, twice(inputs)), shape, WORLD)


def test_labels_beyond_the_networks_classes_are_named(tmp_path: Path) -> None:
    data = loaded(tmp_path, "return (images(4, 5), [0, 1, 1, 0]), (images(4, 5), [0, 1, 255, 0])")
    with pytest.raises(SystemExit, match="own: test image 2 has the label 255, and the network 10 classes"):
        check_classes(data, 10)
    check_classes(data, 256)


def test_labels_may_come_in_any_form_that_means_class_numbers() -> None:
    for given in ([2, 0], (2, 0), np.array([2, 0]), torch.tensor([2.0, 0.0]), np.array([[2], [0]], np.int8)):
        assert class_numbers(given, "training") == (2, 0)


def test_arrays_of_other_machines_and_backwards_ones() -> None:
    for given in (np.arange(6, dtype=">f8").reshape(2, 3), np.arange(6.0).reshape(2, 3)[::-1, ::-1][::-1, ::-1]):
        assert array_of(given, "training")[:].tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("made", "words", "message"),
    [
        ("images(8, 5)", ["flip"], "augment: flip is for images, and the data has vectors"),
        (
            "rng.normal(0, 1, (8, 3, 6, 6))",
            ["flip", "trivialaugment"],
            "trivialaugment is for bytes, and the data has floats",
        ),
        ("images(8, 2, 6, 6)", ["trivialaugment"], "trivialaugment is for grey and colour images"),
    ],
)
def test_augmentation_that_the_data_does_not_allow_is_refused(
    made: str, words: list[str], message: str, tmp_path: Path
) -> None:
    data = loaded(tmp_path, twice(made))
    loading = Loading(data, tuple(data.train.arrays[0].shape[1:]), WORLD)
    with pytest.raises(SystemExit, match=message):
        next(loading.training(4, [{"name": word} for word in words], 0, 0))


VECTORS = """
supernet vectors {
  input vector(64); classes 10
  width uniform {0.5, 1.0} round 8
  stem { linear(64); relu }
  head { linear(classes) }
}
METHOD
data digits
train { epochs=4; batch_size=64; calibrate=64; optimizer=sgd(lr=0.1); mixup=0.1 }
search { calibrate=64 }
"""
PICTURE_AND_FACTS = """
supernet pair {
  input picture image(1, resolution=8..16 step 8); input facts vector(6); classes 2
  norm batch
  width uniform {0.5, 1.0} round 8
  stem {
    a = conv(16, kernel=3, from=picture); a = norm; a = relu; a = pool(avg)
    b = linear(16, from=facts); b = relu
    concat(a, b)
  }
  head { linear(classes) }
}
METHOD
data own(path="pair.py")
train { epochs=2; batch_size=32; calibrate=64; augment=[flip]; mixup=0.2 }
search { calibrate=64 }
"""
PAIR = """
import numpy as np

classes = ["dark", "bright"]

def load(settings):
    rng = np.random.default_rng(settings["seed"])
    parts = []
    for count in (300, 100):
        labels = rng.integers(0, 2, count)
        images = (rng.integers(0, 120, (count, 8, 8)) + labels[:, None, None] * 60).astype(np.uint8)
        parts.append(((images, rng.normal(size=(count, 6)) + labels[:, None]), labels))
    return parts
"""
QUICK = """
import train, search, bench
for module, flags in (
    (train, ["--device", "cpu"]), (search, ["--device", "cpu"]), (bench, ["--at", "min", "--rounds", "3"])
):
    sys.argv = [f"{module.__name__}.py", *flags]
    module.main()
"""
EXPORTED = """
import export
for flags in (["--at", "min"], ["--bundle"], ["--at", "max", "--int8"]):
    sys.argv = ["export.py", *flags]
    export.main()
"""


def test_a_network_of_vectors_is_trained_searched_and_measured(tmp_path: Path) -> None:
    out = run(write_project(tmp_path, VECTORS, "method us_net(subnets=2)"), QUICK)
    (accuracy,) = [line for line in out.splitlines() if line.startswith("test accuracy, largest")]
    assert float(accuracy.split()[3].rstrip("%")) > 85
    assert "evaluated 2 sub-networks" in out


@pytest.mark.slow
@pytest.mark.parametrize("elastic", [False, True])
def test_a_network_of_vectors_is_exported(elastic: bool, tmp_path: Path) -> None:
    spec = VECTORS if elastic else VECTORS.replace("width uniform {0.5, 1.0} round 8", "")
    folder = write_project(tmp_path, spec, "method us_net(subnets=2)" if elastic else "")
    run(folder, "train.py", "--device", "cpu", "--epochs", "1")
    if elastic:
        run(folder, "search.py", "--device", "cpu")
    out = run(folder, EXPORTED if elastic else "export.py")
    assert "onnxruntime: same outputs" in out
    run(folder, "bench.py", "--rounds", "3")


@pytest.mark.slow
def test_an_image_and_a_vector_are_trained_searched_exported_and_measured(tmp_path: Path) -> None:
    folder = write_project(tmp_path, PICTURE_AND_FACTS, "method us_net(subnets=3)")
    (folder / "pair.py").write_text(PAIR)
    out = run(folder, QUICK + EXPORTED)
    assert "test accuracy, smallest: " in out
    assert "evaluated 4 sub-networks" in out
    assert '"dark",' in (folder / "runs" / "export" / "subnet.json").read_text()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def load(settings):\n    return 1 / 0\n", r"mine.py: ZeroDivisionError: .* zero \(mine.py, line 2\)"),
        ("import numpy as np\n\ndef load(settings):\n    return np.zeros((2, 3)) @ np.zeros(2)\n", r"mine.py, line 4"),
        ("import no_such_module\n", r"No module named 'no_such_module' \(mine.py, line 1\)"),
        ("def load(settings:\n    pass\n", r"SyntaxError: .* \(mine.py, line 1\)"),
        ("def load():\n    return 1\n", r"TypeError: load\(\) takes 0 positional arguments but 1 was given"),
        ("def load(settings):\n    raise KeyError(settings['nothing'])\n", r"KeyError: 'nothing' \(mine.py, line 2\)"),
        ("from beside import rows\ndef load(settings):\n    return rows()\n", r"no rows \(beside.py, line 2\)"),
        ("classes = 7\ndef load(settings):\n    return [([[1.0], [2.0]], [0, 1])] * 2\n", r"mine.py: .*`classes`"),
    ],
)
def test_an_error_in_the_file_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "mine.py").write_text(text)
    (tmp_path / "beside.py").write_text("def rows():\n    raise ValueError('no rows')\n")
    with pytest.raises(SystemExit, match=said) as caught:
        load_data({"name": "own", "path": str(tmp_path / "mine.py"), "validation": 0.25, "seed": 0})
    assert "\n" not in str(caught.value)
    sys.modules.pop("beside", None)
