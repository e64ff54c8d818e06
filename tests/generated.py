"""What stands in generated/: projects as a showcase, `elastic/`, which they share, and MANIFEST, a hash of every
spec's project without it; and the code that the README shows.

A project that `specc compile` writes has its own elastic/ with the files that it needs. Here each has a link in its
place, so that a change of the runtime is one change.

`python -m tests.generated --write` (`make generated`) is the only way in which it is written; without --write the
differences are printed and the exit code is 1 where there are any.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from specc import pipeline
from specc.codegen.install import MARK
from specc.codegen.parts import all_parts
from specc.source import Source
from tests.helpers.folders import GENERATED, ROOT, SPECS, spec_names

SHOWCASE = (
    "digits",
    "lenet3c1l_awn",
    "lenet3c1l_slimmable",
    "mobilenet_v2_mutualnet",
    "mobilenet_v2_pss",
    "mobilenet_v2_tips",
    "mobilenet_v2_us",
    "mobilenet_v3_ofa",
    "msdnet_cifar",
    "resnet50_adn",
    "resnext29_inclusive",
    "resnext47_hierarchical",
)
"""One project a method, and the demo."""

LINK = "../elastic"
PAGE = """# What specc makes of specs/

One project for each method, as `specc compile specs/NAME.specc` writes it, but for one thing: the folder `elastic/`,
which does not depend on the spec, stands here once, and each project has a link to it. A project of your own has an
`elastic/` of its own, with the files that it needs, and `.specc`, by which specc knows its files again. All projects
run from where they stand:

    cd digits && python train.py

`MANIFEST` has a hash of the project of every spec in specs/, without `elastic/`. `make generated` writes all of this,
and the tests compare it with what the compiler makes.
"""


def project(name: str) -> dict[str, str]:
    """The files of one spec's project by their paths, as `specc compile specs/NAME.specc` writes them."""
    return dict(pipeline.compile_project(pipeline.load(SPECS / f"{name}.specc")))


def own(files: Mapping[str, str]) -> dict[str, str]:
    """The files of a project that depend on its spec. The list of hashes, which has all files, is none of them."""
    return {path: text for path, text in files.items() if not path.startswith("elastic/") and path != MARK}


def digest(files: Mapping[str, str]) -> str:
    """A hash of all paths and texts."""
    total = hashlib.sha256()
    for path in sorted(files):
        data = files[path].encode("utf-8")
        total.update(f"{path}\0{len(data)}\0".encode())
        total.update(data)
    return total.hexdigest()


def manifest(hashes: Mapping[str, str]) -> str:
    """`<sha256>  <spec>`, a line a spec."""
    return "".join(f"{hashes[name]}  {name}\n" for name in sorted(hashes))


def written_manifest() -> dict[str, str]:
    """The hashes that are committed."""
    text = (GENERATED / "MANIFEST").read_text(encoding="utf-8")
    return {name: value for value, name in (line.split("  ") for line in text.splitlines())}


def tree(folder: Path) -> dict[str, str]:
    """The files of a committed folder; what links lead to is not of it."""
    found = {}
    for root, _, names in os.walk(folder):
        for path in (Path(root, name) for name in names if not root.endswith("__pycache__")):
            found[path.relative_to(folder).as_posix()] = path.read_bytes().decode("utf-8")
    return found


def differences(name: str, files: Mapping[str, str]) -> list[str]:
    """How a committed folder differs from what the compiler makes, both ways."""
    there = tree(GENERATED / name)
    found = [f"{name}/{path} is missing" for path in files if path not in there]
    found += [f"{name}/{path} is not made by the compiler" for path in there if path not in files]
    found += [f"{name}/{path} differs" for path in files if path in there and files[path] != there[path]]
    return sorted(found)


def unlike(files: Mapping[str, str], shared: Mapping[str, str]) -> list[str]:
    """The files of a project's own elastic/ that are not those of the shared one."""
    parts = {path.removeprefix("elastic/"): text for path, text in files.items() if path.startswith("elastic/")}
    return [path for path, text in parts.items() if shared.get(path) != text]


def shared_parts() -> dict[str, str]:
    """The elastic/ that all projects share, by the paths in it."""
    return {path.removeprefix("elastic/"): text for path, text in all_parts().items()}


def linked(name: str) -> bool:
    """Whether a committed project finds the elastic/ beside it."""
    link = GENERATED / name / "elastic"
    return link.is_symlink() and os.readlink(link) == LINK


def write() -> None:
    """Writes generated/ anew."""
    aside = GENERATED.with_name(".generated.new")
    shutil.rmtree(aside, ignore_errors=True)
    made = {name: own(project(name)) for name in spec_names()}
    folders = {"elastic": shared_parts(), **{name: made[name] for name in SHOWCASE}}
    for folder, files in folders.items():
        for path, text in files.items():
            target = aside / folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8", newline="")
        if folder != "elastic":
            (aside / folder / "elastic").symlink_to(LINK)
    hashes = {name: digest(files) for name, files in made.items()}
    (aside / "MANIFEST").write_text(manifest(hashes), encoding="utf-8")
    (aside / "README.md").write_text(PAGE, encoding="utf-8")
    shutil.rmtree(GENERATED, ignore_errors=True)
    os.replace(aside, GENERATED)


FENCE = re.compile(r"^```python (\S+?)/(\S+)\nclass (\w+).*?^```", re.MULTILINE | re.DOTALL)


def refreshed(readme: str) -> str:
    """The README with the classes that it shows as the compiler writes them now."""
    spec = re.search(r"^```specc (\w+)\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert spec is not None
    files = pipeline.compile_project(pipeline.load(Source(f"{spec[1]}.specc", spec[2])))

    def written(fence: re.Match[str]) -> str:
        name, path, shown = fence.groups()
        found = [n for n in ast.parse(files[path]).body if isinstance(n, ast.ClassDef) and n.name == shown]
        return f"```python {name}/{path}\n{ast.get_source_segment(files[path], found[0])}\n```"

    return FENCE.sub(written, readme)


def main(words: list[str]) -> int:
    if "--write" in words:
        write()
        readme = ROOT / "README.md"
        readme.write_text(refreshed(readme.read_text(encoding="utf-8")), encoding="utf-8")
        print(f"wrote {len(SHOWCASE)} projects and the hashes of {len(spec_names())} to {GENERATED.name}/")
        return 0
    made = {name: own(project(name)) for name in spec_names()}
    found = differences("elastic", shared_parts())
    found += [line for name in SHOWCASE for line in differences(name, made[name])]
    hashes = written_manifest()
    found += [
        f"MANIFEST: {n} differs" for n in sorted({*made, *hashes}) if n not in made or hashes.get(n) != digest(made[n])
    ]
    print("\n".join(found) or "generated/ is what the compiler makes")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
