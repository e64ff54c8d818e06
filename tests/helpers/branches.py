"""Specs with parallel branches: those that are one convolution where they are deployed, and those that are not."""

NET = """
import std.repvgg
supernet net {{
  input image(3, 12, 12); classes 4
  {settings}
  norm batch{norm}
  stem {{ conv(16, kernel=3); norm; relu }}
  stage s1 {{ {stage} }}
  head {{ pool(avg); linear(classes) }}
}}
"""
MERGED = {
    "RepVGG's": ("repvgg(16)", 1),
    "strided": ("repvgg(24, stride=2)", 1),
    "depthwise, MobileOne's": (
        "residual { add(depthwise(kernel=3), depthwise(kernel=1)); norm } shortcut { norm }; relu",
        1,
    ),
    "grouped": ("repvgg(16, groups=4)", 1),
    "a norm after the sum": ("add(conv(16, kernel=3), conv(16, kernel=1, bias=yes)); norm; relu", 1),
    "the identity itself": ("residual { conv(16, kernel=3); norm }; relu", 1),
    "a lone norm and the identity first": ("add(conv_norm(16, 1), here, conv_norm(16, 5))", 1),
    "a sum in a sum": ("residual { residual { conv(16, kernel=3) }; norm }; relu", 1),
    "lines beside a square": ("add(conv(16, kernel=3), conv(16, kernel=[1, 3]), conv(16, kernel=[3, 1]))", 1),
    "dilated, and a pixel": ("add(conv(16, kernel=3, dilation=2), conv(16, kernel=1)); relu", 1),
    "without a border": ("add(conv(16, kernel=3, padding=0), conv(16, kernel=5, padding=1))", 1),
    "what rests": ("residual { conv(16, kernel=3); norm; drop_path(0.3) }; dropout(0.1); relu", 1),
    "two of three": ("add(conv(16, kernel=3), conv(16, kernel=1), relu(conv(16, kernel=1)))", 2),
}
KEPT = {
    "an activation in a branch": ("add(relu(conv(16, kernel=3)), conv(16, kernel=1))", 2),
    "two sources": ("a = conv(16, kernel=3); relu; add(conv(16, kernel=3, from=a), conv(16, kernel=1))", 3),
    "a branch that is read elsewhere": (
        "a = conv(16, kernel=1, from=stem); b = conv(16, kernel=3, from=stem); add(a, b); relu; add(here, a)",
        2,
    ),
    "kernels of which none holds the other": ("add(conv(16, kernel=[1, 3]), conv(16, kernel=[3, 1]))", 2),
    "dense and grouped": ("add(conv(16, kernel=3), conv(16, kernel=1, groups=2))", 2),
    "other dilations": ("add(conv(16, kernel=3, dilation=2), conv(16, kernel=3))", 2),
    "two after one another": ("conv(16, kernel=1); conv(16, kernel=3)", 2),
    "no convolution": ("norm; residual { norm }", 0),
    "a product": ("multiply(conv(16, kernel=3), conv(16, kernel=1))", 2),
}
ELASTIC = """
  repvgg(16, kernel={3, 5}); repeat 0..1 { repvgg(16) }
  skippable { residual { add(conv_norm(16, {1, 3}), conv_norm(16, 1)) }; relu }
  residual { depthwise(kernel={3, 5}); norm } shortcut { norm }; relu
"""


def branched(stage: str, settings: str = "", norm: str = "", method: str = "") -> str:
    """A spec with a stage of branches."""
    return NET.format(stage=stage, settings=settings, norm=norm) + method
