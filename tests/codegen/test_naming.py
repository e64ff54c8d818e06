"""What classes are called where a block has several forms."""

from __future__ import annotations

import re

from tests.helpers.projects import compiled, files_of, from_text

SPEC = """
block NAME(out, twice=no) {
  conv(out, kernel=3); norm; relu
  when twice { conv(out, kernel={3, 5}); norm }
  when in > 8 { relu6 }
}
supernet net {
  input image(3, 8, 8); classes 4; norm batch
  stem { NAME(8) }
  stage s1 { NAME(8, twice=yes); NAME(16); NAME(16, twice=yes); NAME(16, twice=yes) }
  head { pool(avg); linear(classes) }
}
"""


TWICE = """
block NAME() { norm; relu }
supernet net {
  input image(3, 8, 8); classes 4; norm batch
  stem { conv(8, kernel=3); NAME() }
  head { pool(avg); NAME(); linear(classes) }
}
"""
"""A block on maps and on vectors."""


def classes(block: str, spec: str = SPEC) -> list[str]:
    text = files_of(from_text(spec.replace("NAME", block)))["model.py"]
    return [name for name in re.findall(r"^class (\w+)\(", text, re.MULTILINE) if name.startswith("Mb")]


def test_the_forms_of_a_block_are_one_class() -> None:
    assert classes("mb") == ["Mb"]
    assert classes("mb_v3") == ["MbV3"]


def test_a_form_is_numbered_where_nothing_else_tells_it_apart() -> None:
    assert classes("mb", TWICE) == ["Mb", "Mb2"]


def test_a_number_does_not_run_into_a_digit() -> None:
    assert classes("mb_v3", TWICE) == ["MbV3", "MbV3_2"]


def test_a_block_of_the_library_is_one_class_in_all_its_forms() -> None:
    text = files_of(compiled("mobilenet_v3_ofa"))["model.py"]
    assert re.findall(r"^class (MbV3\w*)\(", text, re.MULTILINE) == ["MbV3"]
