"""Reading documents that anybody may have written: what is wrong with one is said with its place in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from specc.portable.files.documents import read_json

M = TypeVar("M", bound=BaseModel)


class Malformed(ValueError):
    """A text is no JSON, or no document of a schema."""


def read(model: type[M], text: str | bytes) -> M:
    """The document that a text holds. Raises Malformed, which names the first place that is wrong."""
    try:
        content = read_json(text)
    except ValueError as error:
        raise Malformed(f"it is no JSON: {error}") from None
    return validated(model, content)


def validated(model: type[M], content: Any) -> M:
    """The document that a JSON value is. Raises Malformed, which names the first place that is wrong."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise Malformed(said(content, error.errors(include_url=False)[0])) from None


def said(content: Any, first: ErrorDetails) -> str:
    """What is wrong at the first place of which pydantic complains."""
    inside = path_in(content, first["loc"])
    if first["type"] == "missing":
        return f"`{spelt((*inside, first['loc'][-1]))}` is missing"
    if first["type"] == "extra_forbidden":
        return f"`{spelt(inside)}` is no key of it"
    where = f"`{spelt(inside)}`" if inside else "the document"
    here: Any = content
    for part in inside:
        here = here[part]
    if len(inside) < len(first["loc"]):  # none of several kinds
        return f"{where} is of a wrong kind: {shown(here)}"
    message = first["msg"]
    return f"{where}: {message[:1].lower()}{message[1:]}, and is {shown(here)}"


def path_in(content: Any, loc: Sequence[int | str]) -> tuple[int | str, ...]:
    """A place that pydantic names as far as it is one of the content: behind it are the kinds that were tried."""
    found: list[int | str] = []
    for part in loc:
        listed = isinstance(content, list) and isinstance(part, int) and part < len(content)
        if not (listed or (isinstance(content, dict) and part in content)):
            break
        content = content[part]
        found.append(part)
    return tuple(found)


def spelt(path: Sequence[int | str]) -> str:
    """`edges[3].weight`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def shown(value: Any, most: int = 40) -> str:
    """The beginning of a value, as JSON has it."""
    text = json.dumps(value, default=str)
    return text if len(text) <= most else f"{text[:most]}..."
