"""Small networks of slices, of branches and of any width, for tests."""

from __future__ import annotations

SLICED = """
block sliced(out, b, stride=1) {{
  when stride == 2 {{ pool(avg, 2); pad_channels(out, slices={k}) }}
  residual {{
    norm; relu; conv(b, kernel=1, connect=triangular({k}))
    norm; relu; conv(b, kernel=3, groups={k})
    norm; relu; conv(out, kernel=1, connect=diagonal({k}))
  }}
}}
"""


def sliced(slices: int = 4, rest: str = "", head: str = "head by k") -> str:
    """A network of slices of 2 channels: `head by k`, or with another head."""
    return (
        f"choice k in 1..{slices}\n"
        + SLICED.format(k=slices)
        + f"""
supernet sliced_net {{
  input image(3, 8, 8); classes 5
  norm batch
  width by k
  stem {{ conv({2 * slices}, kernel=3) }}
  stage s1 {{ sliced({2 * slices}, {slices}) }}
  stage s2 {{ sliced({4 * slices}, {2 * slices}, stride=2); sliced({4 * slices}, {2 * slices}) }}
  {head} {{ norm; relu; pool(avg); linear(classes) }}
}}
{rest}
"""
    )


def alone(k: int) -> str:
    """The network of k slices built by itself: nothing elastic, sizes of its own."""
    return (
        SLICED.format(k=k)
        + f"""
supernet alone {{
  input image(3, 8, 8); classes 5
  norm batch
  stem {{ conv({2 * k}, kernel=3) }}
  stage s1 {{ sliced({2 * k}, {k}) }}
  stage s2 {{ sliced({4 * k}, {2 * k}, stride=2); sliced({4 * k}, {2 * k}) }}
  head {{ norm; relu; pool(avg); linear(classes) }}
}}
"""
    )


def any_width(rest: str = "", connect: str = "triangular", norm: str = "norm batch") -> str:
    """A network of any width with triangular connections."""
    return f"""
supernet any_net {{
  input image(2, 8, 8); classes 3
  {norm}
  width any 0.25..1.0
  connect {connect}
  stem {{ conv(9, kernel=3, bias=yes); norm; relu }}
  stage s1 {{ conv(14, kernel=3, bias=yes); norm; relu; depthwise(kernel=3); norm; relu; maxpool(2) }}
  stage s2 {{ conv(6, kernel=1); norm; relu }}
  head {{ flatten; linear(classes, connect=dense) }}
}}
{rest}
"""
