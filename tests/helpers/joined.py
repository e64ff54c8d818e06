"""Spaces of networks whose feature maps are joined."""

from __future__ import annotations

from functools import cache

from specc.pipeline import load
from specc.source import Source
from specc.space.choices import Space
from specc.subnets.space import space_of

JOINED = """
supernet joined {
  input image(3, 32, 32); classes 10
  norm batch
  width per_group 0.5..1.0 round 8
  stem { conv(64, kernel=3); norm; relu }
  stage s1 { concat(conv(256, kernel=1), conv(256, kernel=1), conv(256, kernel=1)); conv(512, kernel=1); norm; relu }
  head { pool(avg); linear(classes) }
}
"""


@cache
def space_in(text: str) -> Space:
    return space_of(load(Source("net.specc", text)).graph)


UNET = """
block double(out) { conv(out, kernel=3); norm; relu; conv(out, kernel=3); norm; relu }
block up(skip, out) { concat(skip, upsample(2)); double(out) }
supernet unet {
  input image(3, resolution=64..128 step 16); classes 2
  norm batch
  width per_group 0.5..1.0 round 8
  stem { double(64) }
  stage d1 { maxpool(2); double(128) }
  stage d2 { maxpool(2); double(256) }
  stage d3 { maxpool(2); double(512) }
  stage u3 { up(d2, 256) }
  stage u2 { up(d1, 128) }
  stage u1 { up(stem, 64) }
  stage seg { conv(classes, kernel=1, bias=yes) }
  head { pool(avg) }
}
"""
