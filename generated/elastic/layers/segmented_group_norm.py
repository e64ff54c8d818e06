"""Group norm on channels that come in several runs, as those of a concatenation do."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from elastic.layers.group_norm import GroupNorm, GroupNormCut
from elastic.layers.learned import Learned, give
from elastic.layers.segments import Counts, Remembers, Runs, gathered, listed, runs
from elastic.net.sizes import Size, largest


class SegmentedGroupNormCut(GroupNormCut):
    """The channels `runs`, `channels` in all and in `groups` groups, of bank `bank`."""

    __slots__ = ("runs",)
    fields = ("channels", "groups", "bank", "runs")  # type: ignore[assignment]

    runs: Runs


class SegmentedGroupNorm(Remembers, GroupNorm):
    """`GroupNorm` on runs of channels: `channels` are those of each run."""

    def __init__(
        self,
        groups: Size,
        channels: Size,
        eps: float = 1e-5,
        affine: bool = True,
        bias: bool = True,
        *,
        banks: int | None = None,
        bank: Size = 0,
    ) -> None:
        super().__init__(groups, channels, eps, affine, bias)
        self.run_sizes = listed(largest(channels))

    def cut(self, channels: Counts, bank: int = 0) -> SegmentedGroupNormCut | None:
        """The cut for these counts, one a run; None where nothing is cut off."""
        return None if listed(channels) == self.run_sizes else self.part(channels, bank)

    def part(self, channels: Counts, bank: int = 0) -> SegmentedGroupNormCut:
        counts = listed(channels)
        groups = sum(counts) * self.num_groups // self.num_channels
        return SegmentedGroupNormCut(sum(counts), groups, int(bank), runs(counts, self.run_sizes))

    def forward(self, x: Tensor, cut: GroupNormCut | None = None) -> Tensor:
        self.counts(False)
        return super().forward(x, cut)

    def weights(self, cut: GroupNormCut) -> Learned:
        """The scale and offset [channels] that a cut uses, where there are any, gathered."""
        assert isinstance(cut, SegmentedGroupNormCut)
        if torch.is_grad_enabled() or torch.compiler.is_dynamo_compiling():
            return parts(cut.runs, self.weight, self.bias)
        views: Learned = self.remembered(
            cut, (self.weight, self.bias), lambda *own: parts(cut.runs, *own)
        )
        return views

    @torch.no_grad()
    def extracted(self, cut: GroupNormCut | None) -> nn.GroupNorm:
        """A plain `nn.GroupNorm` with copies of what the cut uses."""
        if cut is None:
            return super().extracted(None)
        assert isinstance(cut, SegmentedGroupNormCut)
        plain = self.plain(cut.groups, cut.channels)
        give(plain, self.weight, self.bias, lambda learned: gathered(learned, cut.runs))
        return plain.train(self.training)


def parts(runs: Runs, weight: Tensor | None, bias: Tensor | None) -> Learned:
    """The numbers of a scale and an offset in these runs."""
    scale = None if weight is None else gathered(weight, runs)
    return scale, None if bias is None else gathered(bias, runs)
