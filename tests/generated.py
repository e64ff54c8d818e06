"""What stands in generated/: whole projects as a showcase and MANIFEST, a hash of every spec's project; and the
code that the README shows.

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

from specc import pipeline
from specc.source import Source
from tests.folders import GENERATED, ROOT, SPECS, spec_names

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


def project(name: str) -> dict[str, str]:
    """The files of one spec's project by their paths, as `specc compile specs/NAME.specc` writes them."""
    return dict(pipeline.compile_project(pipeline.load(SPECS / f"{name}.specc")))


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


def tree(name: str) -> dict[str, str]:
    """The files of a committed project."""
    root = GENERATED / name
    paths = (path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(root).as_posix(): path.read_bytes().decode("utf-8") for path in paths}


def differences(name: str, files: Mapping[str, str]) -> list[str]:
    """How a committed project differs from what the compiler makes, both ways."""
    there = tree(name)
    found = [f"{name}/{path} is missing" for path in files if path not in there]
    found += [f"{name}/{path} is not made by the compiler" for path in there if path not in files]
    found += [f"{name}/{path} differs" for path in files if path in there and files[path] != there[path]]
    return sorted(found)


def write() -> None:
    """Writes generated/ anew."""
    hashes = {}
    aside = GENERATED.with_name(".generated.new")
    shutil.rmtree(aside, ignore_errors=True)
    for name in spec_names():
        files = project(name)
        hashes[name] = digest(files)
        for path, text in files.items() if name in SHOWCASE else ():
            target = aside / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8", newline="")
    (aside / "MANIFEST").write_text(manifest(hashes), encoding="utf-8")
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
    made = {name: project(name) for name in spec_names()}
    found = [line for name in SHOWCASE for line in differences(name, made[name])]
    hashes = written_manifest()
    found += [
        f"MANIFEST: {n} differs" for n in sorted({*made, *hashes}) if n not in made or hashes.get(n) != digest(made[n])
    ]
    print("\n".join(found) or "generated/ is what the compiler makes")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
