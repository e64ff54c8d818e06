"""Image files of every kind keep their content: modes, depths, orientation, sides; and what happens to damaged ones."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from specc.runtime.data import folders
from specc.runtime.data.augment import ResizedCrop
from specc.runtime.data.datasets import load_data
from specc.runtime.data.folders import decoded
from specc.runtime.data.images import Data
from specc.runtime.data.loading import Loading
from specc.runtime.run.distributed import World

Bytes = NDArray[np.uint8]


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of files that were checked: not the user's own."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


def ramp(height: int = 16, width: int = 16) -> Bytes:
    """A smooth grey picture, dark at the top left."""
    y, x = np.mgrid[0:height, 0:width]
    grey: Bytes = ((y / (height - 1) + x / (width - 1)) * 127).astype(np.uint8)
    return grey


def numbers(path: Path, channels: int) -> Tensor:
    """What a file is decoded to: (channels, H, W) in 0..1."""
    picture = decoded(path, channels)
    if isinstance(picture, Tensor):
        return picture
    array = torch.from_numpy(np.array(picture)).float() / 255
    return array[None] if array.dim() == 2 else array.movedim(-1, 0)


def as_palette(grey: Bytes) -> Image.Image:
    return Image.fromarray(grey).convert("P")


def as_16_bits(grey: Bytes) -> Image.Image:
    return Image.fromarray(grey.astype(np.uint16) * 257)


def as_alpha(colour: int) -> Callable[[Bytes], Image.Image]:
    """A drawing in one colour on nothing: the content lies in the opacity alone."""

    def made(grey: Bytes) -> Image.Image:
        flat = np.full_like(grey, colour)
        return Image.fromarray(np.stack((flat, flat, flat, grey), axis=-1))

    return made


KINDS: dict[str, tuple[str, Callable[[Bytes], Image.Image]]] = {
    "grey": ("png", Image.fromarray),
    "rgb": ("png", lambda grey: Image.fromarray(grey).convert("RGB")),
    "opaque": ("png", lambda grey: Image.fromarray(grey).convert("RGBA")),
    "grey and opaque": ("png", lambda grey: Image.fromarray(grey).convert("LA")),
    "palette": ("png", as_palette),
    "palette gif": ("gif", as_palette),
    "16 bits png": ("png", as_16_bits),
    "16 bits tiff": ("tiff", as_16_bits),
    "16 bits pgm": ("pgm", as_16_bits),
    "float tiff": ("tiff", lambda grey: Image.fromarray(grey.astype(np.float32) / 255)),
    "cmyk tiff": ("tiff", lambda grey: Image.fromarray(grey).convert("RGB").convert("CMYK")),
    "cmyk jpeg": ("jpg", lambda grey: Image.fromarray(grey).convert("RGB").convert("CMYK")),
    "bmp": ("bmp", Image.fromarray),
    "webp": ("webp", lambda grey: Image.fromarray(grey).convert("RGB")),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_any_mode_keeps_its_content(kind: str, channels: int, tmp_path: Path) -> None:
    suffix, make = KINDS[kind]
    path = tmp_path / f"picture.{suffix}"
    make(ramp()).save(path)
    found = numbers(path, channels)
    assert found.shape == (channels, 16, 16)
    wanted = torch.from_numpy(ramp()).float().expand(channels, -1, -1) / 255
    torch.testing.assert_close(found, wanted, rtol=0, atol=0.03)


def test_sixteen_bits_are_scaled_and_not_cut_off(tmp_path: Path) -> None:
    """Also where all numbers are above 255, or differ little: an offset."""
    faint = 40_000 + ramp().astype(np.uint16)
    Image.fromarray(faint).save(tmp_path / "faint.png")
    torch.testing.assert_close(numbers(tmp_path / "faint.png", 1)[0], torch.from_numpy(faint / 65535).float())


@pytest.mark.parametrize("colour", [0, 255])
def test_a_drawing_on_nothing_does_not_vanish(colour: int, tmp_path: Path) -> None:
    """Black and white ones alike: what is transparent is grey."""
    as_alpha(colour)(ramp()).save(tmp_path / "drawing.png")
    found = numbers(tmp_path / "drawing.png", 1).flatten()
    shared = torch.corrcoef(torch.stack((found, torch.from_numpy(ramp()).float().flatten())))[0, 1]
    assert abs(float(shared)) > 0.99
    assert float(found.max() - found.min()) > 0.4
    whole = numbers(tmp_path / "drawing.png", 4)  # a network of four channels takes the opacity as it is
    torch.testing.assert_close(whole[3], torch.from_numpy(ramp()).float() / 255)


def test_a_palette_with_a_transparent_colour(tmp_path: Path) -> None:
    marked = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), "P")
    marked.putpalette([0, 0, 0, 255, 255, 255])
    marked.save(tmp_path / "two.png", transparency=0)
    assert (numbers(tmp_path / "two.png", 1)[0] * 255).round().tolist() == [[128, 255], [255, 128]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_stands_as_its_camera_was_held(orientation: int, tmp_path: Path) -> None:
    from PIL import ImageOps

    picture = Image.fromarray(ramp(16, 24)).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture.save(tmp_path / "photo.png", exif=exif)
    with Image.open(tmp_path / "photo.png") as file:
        wanted = ImageOps.exif_transpose(file)
    assert np.array_equal(np.array(decoded(tmp_path / "photo.png", 3)), np.array(wanted))


def test_of_an_animation_the_first_picture_counts(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((8, 8), value, np.uint8)) for value in (200, 20)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    torch.testing.assert_close(numbers(tmp_path / "moving.gif", 1), torch.full((1, 8, 8), 200 / 255))


def write_folder(
    root: Path, make: Callable[[int, int], Any], count: int = 3, parts: tuple[str, ...] = ("train", "val")
) -> Path:
    """`count` images for each of two classes in every part; `make(class, number)` gives one."""
    for part in parts:
        for k, name in enumerate(("cat", "dog")):
            (root / part / name).mkdir(parents=True)
            for i in range(count):
                make(k, i).save(root / part / name / f"{i}.png")
    return root


def folder(root: Path, name: str = "folder") -> Data:
    return load_data({"name": name, "path": str(root), "validation": 0.3, "seed": 0})


def loading(data: Data, shape: tuple[int, ...]) -> Loading:
    return Loading(data, shape, World(0, 1, torch.device("cpu")))


def shown(data: Data, shape: tuple[int, ...]) -> Tensor:
    images, _ = next(iter(loading(data, shape).evaluation(data.test)))
    assert isinstance(images, Tensor)
    return images


def striped(left: int, right: int, height: int = 32, width: int = 128) -> Image.Image:
    """White in its left quarter or in its right one, black elsewhere."""
    grey = np.zeros((height, width), np.uint8)
    grey[:, : width // 4], grey[:, -width // 4 :] = left, right
    return Image.fromarray(grey)


@pytest.mark.parametrize(
    ("shape", "size"),
    [((1, 16, 64), (32, 128)), ((1, 32, 32), (32, 128)), ((1, 16, 64), (128, 32)), ((1, 8, 24), (9, 40))],
)
def test_the_whole_picture_is_resized_whatever_its_sides(
    shape: tuple[int, int, int], size: tuple[int, int], tmp_path: Path
) -> None:
    """What tells the classes apart lies at the edges: none is cut away."""
    root = write_folder(tmp_path, lambda k, i: striped(255 * (1 - k), 255 * k, *size))
    images = shown(folder(root), shape)
    assert images.shape[1:] == shape
    quarter = shape[2] // 4
    cats, dogs = images[:3, 0], images[3:, 0]
    for bright, dark in (
        (cats[..., : quarter - 1], dogs[..., : quarter - 1]),
        (dogs[..., 1 - quarter :], cats[..., 1 - quarter :]),
    ):
        assert float((bright - dark).min()) > 4  # white less black, by ImageNet's deviation


def test_imagenet_is_evaluated_in_the_middle_of_squares(tmp_path: Path) -> None:
    """As its papers do: the shorter side at 8/7 of the network's, then the middle. Other networks see all of it."""
    root = write_folder(tmp_path, lambda k, i: striped(255, 255, 64, 128).convert("RGB"))
    middle = shown(folder(root, "imagenet"), (3, 56, 56))
    assert float(middle.max()) < 0  # the white quarters at the sides are cut off
    assert float(shown(folder(root, "imagenet"), (3, 28, 56)).max()) > 2
    assert float(shown(folder(root, "folder"), (3, 56, 56)).max()) > 2


def test_random_crops_have_the_sides_of_what_is_evaluated() -> None:
    """A part is at most a third longer than the picture, or than the network's input, whose sides it is given."""
    torch.manual_seed(0)
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(128.0), indexing="ij")
    places = torch.stack((y / 32, x / 128))
    for crop, aspect in ((ResizedCrop((16, 64), 0.5, whole=True), 4.0), (ResizedCrop((16, 16), 0.1, whole=False), 1.0)):
        ratios = []
        for _ in range(200):
            part = crop(places)
            assert part.shape[1:] == crop.size
            height, width = (float(side.max() - side.min()) for side in part)
            ratios.append(width * 128 / (height * 32))
        assert min(ratios) > 0.7 * aspect
        assert max(ratios) < 1.5 * aspect


def test_faint_pictures_of_sixteen_bits_are_normalised_by_their_own_statistics(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    root = write_folder(
        tmp_path, lambda k, i: Image.fromarray(rng.integers(40_000, 40_200, (8, 8), np.uint16)), count=8
    )
    data = folder(root)
    assert data.mean == pytest.approx((40_100 / 65535,), abs=1e-4)
    images = shown(data, (1, 8, 8))
    assert 0.8 < float(images.std()) < 1.2
    assert abs(float(images.mean())) < 0.3


def test_what_no_person_made_is_passed_over(tmp_path: Path) -> None:
    root = write_folder(tmp_path, lambda k, i: Image.fromarray(ramp()))
    plain = folder(root)
    for part in ("train", "val"):
        for hidden in (".ipynb_checkpoints", "__MACOSX", "@eaDir"):
            (root / part / hidden).mkdir()
            (root / part / "cat" / hidden).mkdir()
            Image.fromarray(ramp()).save(root / part / "cat" / hidden / "0-checkpoint.png")
        (root / part / "cat" / "._0.png").write_bytes(b"\0\5\26\7")
        (root / part / "cat" / "a.png").mkdir()
        for name in ("Thumbs.db", "desktop.ini", ".DS_Store", "Desktop.ini"):
            (root / part / "cat" / name).write_bytes(b"no image")
        (root / part / ".DS_Store").touch()
    data = folder(root)
    assert data.names == ("cat", "dog")
    for mine, before in zip(data.parts, plain.parts, strict=True):
        assert mine.files == before.files
    assert data.notes == ()
    (root / "train" / "cat" / "notes.txt").touch()
    assert folder(root).notes == (f"passed over, as no suffix of an image: {root}/train/cat/notes.txt (1 in all)",)


def test_links_are_followed_and_circles_of_links_end(tmp_path: Path) -> None:
    elsewhere = write_folder(tmp_path / "elsewhere", lambda k, i: Image.fromarray(ramp()))
    root = write_folder(tmp_path / "mine", lambda k, i: Image.fromarray(ramp()))
    (root / "train" / "cat" / "more").symlink_to(elsewhere / "train" / "cat")
    (root / "train" / "cat" / "around").symlink_to(root / "train" / "cat")
    assert len([file for file in folder(root).train.files if file.parent.name in ("cat", "more")]) > 3


def damaged(root: Path) -> dict[str, Path]:
    """Files that no decoder reads to the end."""
    paths = {
        name: root / "train" / "cat" / name for name in ("cut.png", "cut.jpg", "text.png", "empty.png", "bits.png")
    }
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8))
    for name in ("cut.png", "cut.jpg", "bits.png"):
        noise.save(paths[name])
    for name in ("cut.png", "cut.jpg"):
        paths[name].write_bytes(paths[name].read_bytes()[:-900])
    whole = bytearray(paths["bits.png"].read_bytes())
    whole[2000:2100] = bytes(100)
    paths["bits.png"].write_bytes(whole)
    paths["text.png"].write_text("not found")
    paths["empty.png"].touch()
    link, pipe = root / "val" / "dog" / "nowhere.png", root / "val" / "dog" / "pipe.png"
    link.symlink_to(root / "gone.png")
    os.mkfifo(pipe)
    return {**paths, "nowhere.png": link, "pipe.png": pipe}


def test_all_damaged_files_are_named_before_training(tmp_path: Path) -> None:
    root = write_folder(tmp_path, lambda k, i: Image.fromarray(ramp()))
    files = damaged(root)
    for _ in range(2):  # what is damaged is never remembered as fine
        with pytest.raises(SystemExit) as stopped:
            folder(root)
        first, *lines = str(stopped.value).splitlines()
        assert first == "7 image files cannot be decoded; repair or remove:"
        assert {line.strip().split(": ")[0] for line in lines} == {str(path) for path in files.values()}
    for path in files.values():
        path.unlink()
    assert len(folder(root).test) == 6


def test_files_are_decoded_once_and_again_when_they_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    root = write_folder(tmp_path, lambda k, i: Image.fromarray(ramp()))
    looked_at: list[str] = []

    def noted(path: Path) -> str | None:
        looked_at.append(f"{path.parent.parent.name}/{path.parent.name}")
        return damage(path)

    damage = folders.damage
    monkeypatch.setattr(folders, "damage", noted)
    folder(root)
    assert len(looked_at) == 12
    looked_at.clear()
    folder(root)
    assert looked_at == []
    Image.fromarray(ramp(20, 20)).save(root / "train" / "dog" / "1.png")
    folder(root)
    assert set(looked_at) == {"train/dog"}
    assert (cache / "elastic").stat().st_mode & 0o777 == 0o700
    looked_at.clear()
    os.chmod(cache / "elastic", 0o777)  # anybody could have written there
    folder(root)
    assert len(looked_at) == 12


def test_without_a_cache_files_are_decoded_every_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    root = write_folder(tmp_path / "data", lambda k, i: Image.fromarray(ramp()))
    assert len(folder(root).test) == len(folder(root).test) == 6


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_that_is_damaged_later_is_named_when_it_is_read(workers: int, tmp_path: Path) -> None:
    root = write_folder(tmp_path, lambda k, i: Image.fromarray(ramp()))
    data = folder(root)
    data.test.files[0].write_bytes(b"")
    batches = Loading(data, (1, 8, 8), World(0, 1, torch.device("cpu")), workers).evaluation(data.test)
    with pytest.raises(SystemExit, match=r"cat/0\.png cannot be decoded: cannot identify"):
        list(batches)


def test_a_class_without_images_is_named(tmp_path: Path) -> None:
    root = write_folder(tmp_path, lambda k, i: Image.fromarray(ramp()))
    (root / "train" / "bird").mkdir()
    (root / "val" / "bird").mkdir()
    with pytest.raises(SystemExit, match=r"train/bird holds no images: every folder of .*train is a class"):
        folder(root)


def test_of_three_parts_val_is_for_the_search_and_test_is_looked_at_last(tmp_path: Path) -> None:
    parts = ("train", "val", "test")
    root = write_folder(tmp_path, lambda k, i: Image.fromarray(ramp()), parts=parts)
    data = folder(root)
    assert {file.parent.parent.name for file in data.train.files} == {"train"}
    assert [len(part) for part in data.parts] == [6, 6, 6]
    assert {file.parent.parent.name for file in data.validation.files} == {"val"}
    assert {file.parent.parent.name for file in data.test.files} == {"test"}
    # ImageNet's test/ has no labels: its papers evaluate on val/.
    assert {file.parent.parent.name for file in folder(root, "imagenet").test.files} == {"val"}


def test_a_test_part_without_classes_is_not_read_and_said_so(tmp_path: Path) -> None:
    root = write_folder(tmp_path, lambda k, i: Image.fromarray(ramp()))
    (root / "test").mkdir()
    Image.fromarray(ramp()).save(root / "test" / "1.png")
    data = folder(root)
    assert {file.parent.parent.name for file in data.test.files} == {"val"}
    assert data.notes == (f"{root}/test has no folder for every class: {root}/val is the test part",)
    assert data.summary().endswith(data.notes[0])


@pytest.mark.parametrize("name", ["valid", "validation", "test"])
def test_the_second_part_may_be_called_otherwise(name: str, tmp_path: Path) -> None:
    root = write_folder(tmp_path, lambda k, i: Image.fromarray(ramp()), parts=("train", name))
    assert len(folder(root).test) == 6
