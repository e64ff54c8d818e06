"""A constant that every value is multiplied by, that is added to it, or that it is subtracted from."""

from typing import Final

KINDS: Final = ("scale_by", "shift_by", "subtract_from")
