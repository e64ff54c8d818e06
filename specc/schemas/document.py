"""What all documents share: models that are frozen, know all their keys, and take no value for another of its kind."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr

Text: TypeAlias = StrictStr
Flag: TypeAlias = StrictBool
Integer: TypeAlias = StrictInt
Count: TypeAlias = Annotated[int, Field(strict=True, ge=0)]
"""A whole number, 0 or more."""
Number: TypeAlias = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Positive: TypeAlias = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0)]
"""A number, 0 or more."""
Share: TypeAlias = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=1)]
"""A number from 0 to 1."""

Option: TypeAlias = StrictBool | StrictInt | Annotated[StrictFloat, Field(allow_inf_nan=False)] | StrictStr
"""A value of a choice: numbers as decimals, or as text where they have none (`1/3`)."""
Assignment: TypeAlias = dict[str, Option]
"""A sub-network: choices and their options. Choices that change nothing in it are left out."""


class Document(BaseModel):
    """A JSON object with these keys and no others."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


def data_of(document: BaseModel) -> Any:
    """A document as `json.dumps` takes it: with what was given, in the order of its fields."""
    return document.model_dump(exclude_unset=True)
