"""Networks for pictures: every spec, and one with what these lack: nested sub-paths, alternatives, elastic kernels."""

from __future__ import annotations

from functools import cache

from specc.importance.marks import Marks, marks_of
from specc.ir.graph import Graph
from specc.pipeline import load
from tests.helpers.folders import SPECS
from tests.helpers.networks import graph_of

KNOTTY = """\
import std.mobilenet
choice op in {conv3, conv5, none}
block two(c) {
  residual {
    residual { conv(c, kernel=1); norm; relu; conv(c, kernel=3) } shortcut { conv(c, kernel=5); norm }
  } shortcut { residual { conv(c, kernel=7) } }
  skippable { norm; relu; conv(c, kernel=3) }
}
supernet knotty {
  input image(3, resolution=24..32 step 4); classes 10
  norm batch
  width uniform 0.5..1.0 step 0.25 round 8
  stem { conv(16, kernel=3); norm; relu }
  stage s1 {
    inverted_residual(16, expand=3, kernel={3, 5, 7})
    skippable outer { inverted_residual(16, expand={3, 4, 6}); skippable inner { two(16) }; two(16) }
  }
  stage s2 {
    conv(32, kernel=3, stride=2); norm; relu
    when op == conv3 { conv(32, kernel=3); norm; relu } else when op == conv5 { conv(32, kernel=5); norm; relu }
    two(32)
  }
  head { conv(64, kernel=1); norm; relu; pool(avg); linear(classes) }
}
method us_net(subnets=4)
data digits
train { epochs=1 }
"""


@cache
def graph(name: str) -> Graph:
    """The graph of a spec in specs/, or of `knotty`."""
    return graph_of(KNOTTY) if name == "knotty" else load(SPECS / f"{name}.specc").graph


@cache
def marks(name: str) -> Marks:
    return marks_of(graph(name))


def chain(rounds: int, body: str = "skippable { residual_mlp(80) }") -> Graph:
    """A network of many rounds of one body."""
    return graph_of(
        "import std.plain\n"
        "supernet long {\n  input image(1, 28, 28); classes 10\n  stem { flatten; linear(80); relu }\n"
        f"  stage s1 {{ repeat {rounds} as i {{ {body} }} }}\n  head {{ linear(classes) }}\n}}\n"
        "method us_net(subnets=4)\ndata digits\ntrain { epochs=1 }\n"
    )
