"""Latency tables: what each block of a network takes, for every combination of the choices that it reads."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from specc.schemas.document import Count, Document, Option, Text

Seconds: TypeAlias = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=10**6)]
Several: TypeAlias = Annotated[int, Field(strict=True, ge=1)]


class LargestCost(Document):
    """What the largest sub-network costs, by which networks of the same choices are told apart."""

    macs: Count | None = None
    params: Count | None = None


class BlockTimes(Document):
    """What one block takes."""

    name: Text
    choices: tuple[Text, ...] = Field(description="the choices that the block reads")
    seconds: tuple[Seconds, ...] = Field(
        description="for every combination of their options, the last choice changing fastest"
    )


class LatencyTable(Document):
    """`latency.<device>.json`, which bench.py --table writes: a sub-network takes the sum over its blocks."""

    format: Literal["specc latency 1"] = Field(default="specc latency 1", description="those of others may lack it")
    network: Text = Field(description="its name")
    device: Text = Field(description="cpu or cuda")
    processor: Text = Field(default="", description="the device's name")
    threads: Several = Field(description="of the CPU")
    batch_size: Several = Field(description="images at a time")
    form: Text = Field(default="", description="how sub-networks ran: fused or sliced")
    largest: LargestCost = LargestCost()
    choices: dict[str, tuple[Option, ...]] = Field(description="the choices that blocks read, with their options")
    blocks: tuple[BlockTimes, ...]
