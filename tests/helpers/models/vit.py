"""A vision transformer with elastic heads, encoders to repeat and to skip, and layer norms in banks."""

from __future__ import annotations

from typing import Any, Final

import torch.nn.functional as F
from torch import Tensor, nn

from specc.ops.attention.torch import ElasticAttention
from specc.ops.class_token.torch import ClassToken
from specc.ops.layer_norm.torch import LayerNorm
from specc.ops.linear.torch import Linear
from specc.ops.position.torch import Position
from specc.runtime.net.elastic import Elastic
from specc.runtime.net.network import ElasticNet
from specc.runtime.net.plan import Part, Plan, Space
from specc.runtime.net.sizes import OneOf, Size
from specc.runtime.net.stage import Repeat, Skippable, Stage
from tests.helpers.models import Outputs, asked

TEXT: Final = """
import std.vit
supernet vit {
  input image(1, 8, 8); classes 10
  norm layer(eps=1e-6, bank=skip)
  stem { patch_embed(2, dim=48); class_token; position }
  stage g1 { encoder(heads={2, 4}, mlp={48, 96}); skippable { encoder(heads=4, mlp=96) } }
  stage g2 { repeat 1..2 { encoder(heads={2, 4}, mlp=96) }; skippable { encoder(heads=4, mlp=96) } }
  head { norm(bank=shared); take(class_token); linear(classes) }
}
method us_net
"""


class Stem(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patch_embed = nn.Conv2d(1, 48, 2, stride=2)
        self.class_token = ClassToken(48)
        self.position = Position(17, 48)

    def forward(self, x: Tensor) -> Any:
        x = self.patch_embed(x).flatten(2).transpose(1, 2)
        return self.position(self.class_token(x))


class Encoder(Elastic):
    def __init__(self, heads: Size, mlp: Size, banks: int = 1, bank: Size = 0) -> None:
        super().__init__()
        self.heads, self.mlp = heads, mlp
        self.norm1 = LayerNorm(48, eps=1e-6, banks=banks, bank=bank)
        self.attention = ElasticAttention(48, heads)
        self.norm2 = LayerNorm(48, eps=1e-6, banks=banks, bank=bank)
        self.linear1 = Linear(48, mlp)
        self.linear2 = Linear(mlp, 48)

    def forward(self, x: Tensor, p: Part) -> Any:
        y = self.attention(self.norm1(x, p.norm1), p.attention)
        y += x
        x = F.gelu(self.linear1(self.norm2(y, p.norm2), p.linear1))
        return y + self.linear2(x, p.linear2)


class Head(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(48, eps=1e-6)
        self.linear = nn.Linear(48, 10)

    def forward(self, x: Tensor) -> Any:
        return self.linear(self.norm(x)[:, 0])


class Model(ElasticNet):
    def __init__(self, space: Space) -> None:
        super().__init__(space)
        self.stem = Stem()
        keep = OneOf(False, True)
        self.g1 = Stage(Encoder(OneOf(2, 4), OneOf(48, 96), 2, keep), Skippable(keep, Encoder(4, 96)))
        keep = OneOf(False, True)
        self.g2 = Stage(
            Repeat(OneOf(1, 2), (Encoder(OneOf(2, 4), 96, 2, keep) for _ in range(2))),
            Skippable(keep, Encoder(4, 96)),
        )
        self.head = Head()
        self.outputs = ("head", "g1", "g2")
        self.use(self.plan())

    def forward(self, x: Tensor, plan: Plan | None = None) -> Outputs:
        p = self._plan if plan is None else plan
        outputs: dict[str, Tensor] = {}
        x = self.stem(x)
        outputs["g1"] = x = self.g1(x, p.g1)
        outputs["g2"] = x = self.g2(x, p.g2)
        outputs["head"] = self.head(x)
        return asked(p, outputs)  # type: ignore[no-any-return]
