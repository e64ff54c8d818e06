"""Layer norm on features that come in several runs, as those of a concatenation do."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from elastic.layers.layer_norm import LayerNorm, LayerNormCut
from elastic.layers.learned import Learned, give
from elastic.layers.segments import Counts, Remembers, Runs, gathered, listed, runs
from elastic.net.sizes import Size, largest


class SegmentedLayerNormCut(LayerNormCut):
    """The features `runs`, `features` in all, of bank `bank`."""

    __slots__ = ("runs",)
    fields = ("features", "bank", "runs")  # type: ignore[assignment]

    runs: Runs


class SegmentedLayerNorm(Remembers, LayerNorm):
    """`LayerNorm` on runs of features: `features` are those of each run."""

    def __init__(
        self,
        features: Size,
        eps: float = 1e-5,
        affine: bool = True,
        bias: bool = True,
        *,
        banks: int | None = None,
        bank: Size = 0,
    ) -> None:
        super().__init__(features, eps, affine, bias)
        self.run_sizes = listed(largest(features))

    def cut(self, features: Counts, bank: int = 0) -> SegmentedLayerNormCut | None:
        """The cut for these counts, one a run; None where nothing is cut off."""
        return None if listed(features) == self.run_sizes else self.part(features, bank)

    def part(self, features: Counts, bank: int = 0) -> SegmentedLayerNormCut:
        counts = listed(features)
        return SegmentedLayerNormCut(sum(counts), int(bank), runs(counts, self.run_sizes))

    def forward(self, x: Tensor, cut: LayerNormCut | None = None) -> Tensor:
        self.counts(False)
        return super().forward(x, cut)

    def weights(self, cut: LayerNormCut) -> Learned:
        """The scale and offset [features] that a cut uses, where there are any, gathered."""
        assert isinstance(cut, SegmentedLayerNormCut)
        if torch.is_grad_enabled() or torch.compiler.is_dynamo_compiling():
            return parts(cut.runs, self.weight, self.bias)
        views: Learned = self.remembered(
            cut, (self.weight, self.bias), lambda *own: parts(cut.runs, *own)
        )
        return views

    @torch.no_grad()
    def extracted(self, cut: LayerNormCut | None) -> nn.LayerNorm:
        """A plain `nn.LayerNorm` with copies of what the cut uses."""
        if cut is None:
            return super().extracted(None)
        assert isinstance(cut, SegmentedLayerNormCut)
        plain = nn.LayerNorm(cut.features, self.eps, self.elementwise_affine, device="meta")
        give(plain, self.weight, self.bias, lambda learned: gathered(learned, cut.runs))
        return plain.train(self.training)


def parts(runs: Runs, weight: Tensor | None, bias: Tensor | None) -> Learned:
    """The numbers of a scale and an offset in these runs."""
    scale = None if weight is None else gathered(weight, runs)
    return scale, None if bias is None else gathered(bias, runs)
