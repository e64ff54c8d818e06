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


def classes(block: str) -> list[str]:
    text = files_of(from_text(SPEC.replace("NAME", block)))["model.py"]
    return [name for name in re.findall(r"^class (\w+)\(nn", text, re.MULTILINE) if name.startswith("Mb")]


def test_a_form_is_numbered_where_nothing_else_tells_it_apart() -> None:
    assert len(classes("mb")) > 2
    assert any(name == "Mb2" for name in classes("mb"))


def test_a_number_does_not_run_into_a_digit() -> None:
    assert classes("mb_v3") == [
        name.replace("Mb", "MbV3_", 1) if name[2:].isdigit() else name.replace("Mb", "MbV3", 1)
        for name in classes("mb")
    ]


def test_forms_are_numbered_in_the_order_in_which_they_stand() -> None:
    text = files_of(compiled("mobilenet_v3_ofa"))["model.py"]
    numbers = [int(number) for number in re.findall(r"^class MbV3_(\d)\(", text, re.MULTILINE)]
    assert numbers == sorted(numbers)
    assert numbers[0] == 2
