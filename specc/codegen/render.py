"""Templates: they print what a frozen view has decided. A method's part of the training loop lies in its own folder."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from specc.cache import private_folder
from specc.methods import method_folder

if TYPE_CHECKING:
    import jinja2


@cache
def environment() -> jinja2.Environment:
    """The templates of this package and of the methods. A name that a template misspells is an error."""
    import jinja2

    here = Path(__file__).parent
    folder = private_folder()
    return jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [jinja2.FileSystemLoader(here / "templates"), jinja2.FunctionLoader(method_template)]
        ),
        bytecode_cache=None if folder is None else compiled_templates(folder),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # nothing is HTML
    )


def compiled_templates(folder: Path) -> jinja2.BytecodeCache:
    """Jinja's cache of compiled templates: compiling them takes longer than printing a project.

    Jinja unpickles and unmarshals what it kept, so `folder` must be private (specc/cache.py).
    """
    import jinja2

    return jinja2.FileSystemBytecodeCache(str(folder), f"template-{jinja2.__version__}-%s.code")


def method_template(name: str) -> str | None:
    """The text of `us_net/loop.jinja`, which lies in the method's own folder, wherever that is."""
    method, _, file = name.partition("/")
    path = method_folder(method) / file
    return path.read_text(encoding="utf-8") if path.is_file() else None


def render(template: str, values: Mapping[str, object]) -> str:
    return environment().get_template(template).render(values)
