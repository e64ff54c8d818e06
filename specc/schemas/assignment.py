"""A sub-network in a file of its own, for `--at FILE.json`."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, InstanceOf, RootModel, WithJsonSchema

from specc.schemas.document import Option

Exact: TypeAlias = Annotated[InstanceOf[Fraction], WithJsonSchema({"type": "number"})]
"""A number that a reader has kept as it is written."""
Options: TypeAlias = dict[str, Option | Exact]


class Named(BaseModel):
    """An object that has a sub-network under `at`, as `specc cost` prints it and subnet.json has it."""

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)

    at: Options


class AssignmentFile(RootModel[Named | Options]):
    """What `--at FILE.json` reads: choices and their options, or an object that has these under `at`."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    @property
    def options(self) -> dict[str, Any]:
        return self.root.at if isinstance(self.root, Named) else self.root
