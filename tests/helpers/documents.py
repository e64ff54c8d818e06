"""Whether a file is what its schema says."""

from __future__ import annotations

import json
from pathlib import Path

from jsonschema import Draft202012Validator

from specc.schemas.catalogue import schema
from specc.schemas.document import data_of


def check_file(path: Path, name: str = "") -> None:
    """Checks a file, or every line of a .jsonl file: by pydantic, by jsonschema, and nothing of it is lost."""
    found = schema(name or path.name)
    assert found is not None, name or path.name
    validator = Draft202012Validator(found.json_schema())
    text = path.read_text(encoding="utf-8")
    for document in text.splitlines() if path.suffix == ".jsonl" else [text]:
        value = json.loads(document)
        assert [error.message for error in validator.iter_errors(value)] == []
        assert json.loads(json.dumps(data_of(found.adapter.validate_json(document)))) == value
