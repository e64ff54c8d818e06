"""The text of a cost program: tables of constants and the functions `cost`, `macs`, `params` and `batched`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from specc.cost.loads import loads_many, loads_one
from specc.cost.sums import Statements
from specc.cost.variables import Variables
from specc.python.layout import listed

BLOCK = 10240
"""Rows that are computed together: more would not stay in the processor's cache, fewer would be all overhead."""
SPARE = 96
"""Rows allocated without need: a block this large makes the allocator keep its pages for the next one."""


def tables(v: Variables) -> list[str]:
    """The constants: functions by option, `T3` for choice 3; functions of several choices, `J7` for symbol 7."""
    lines: list[str] = []
    arrays: list[str] = []
    for choice, about in enumerate(v.diagrams.choices):
        numbers = v.tabled(choice)
        if numbers:
            rows = list(zip(*(v.symbols.symbols[n].values for n in numbers), strict=True))
            values = [repr(row[0] if len(row) == 1 else row) for row in rows]
            items = [f"{v.option(choice, at)}: {value}" for at, value in enumerate(values)]
            lines += [f"# What depends on {about.name!r} alone.", *dictionary(f"T{choice}", items)]
            arrays.append(f"A{choice} = np.array([*T{choice}.values()], dtype=np.{v.dtype()}).T")
        if not v.linear_options(choice) and v.has_plain(choice):
            lines += listed(f"O{choice} = (", v.options(choice), ")")
            arrays.append(f"V{choice} = np.array(O{choice}, dtype=np.{v.dtype()})")
    for number in v.joint:
        symbol = v.symbols.symbols[number]
        if symbol.node is None:
            keys = product(*(v.options(choice) for choice in symbol.scope))
            items = [f"({', '.join(key)}): {value}" for key, value in zip(keys, symbol.values, strict=True)]
            lines += dictionary(f"J{number}", items)
            sizes = ", ".join(str(len(v.diagrams.options[choice])) for choice in symbol.scope)
            arrays.append(f"B{number} = np.array([*J{number}.values()], dtype=np.{v.dtype()})")
            arrays.append(f"B{number} = B{number}.reshape({sizes})")
    return lines + arrays


def functions(v: Variables) -> list[str]:
    """`cost`, `macs`, `params` and `batched`."""
    end = f" // {v.program.divisor}" if v.program.divisor > 1 else ""
    returned = [f"    return macs{end}, params{end}"]
    return [
        "def cost(a: Mapping[str, Any]) -> tuple[int, int]:",
        '    """The MACs for one image and the parameters of one sub-network, by its assignment."""',
        *indented(loads_one(v)),
        *indented(body(v)),
        *returned,
        *SHORTHANDS,
        "def batched(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:",
        '    """The MACs and parameters of many: each row of `positions`, [n, choices], says which option of',
        '    every choice, counted from 0, a sub-network has. Exact."""',
        "    positions = np.asarray(positions)",
        "    macs = np.empty(len(positions), dtype=np.int64)",
        "    params = np.empty(len(positions), dtype=np.int64)",
        "    # Room for a block; the spare rows make the allocator keep its pages.",
        f"    p = np.empty((positions.shape[1] + {SPARE}, min(len(positions), {BLOCK})), dtype=np.{v.dtype()})",
        f"    for start in range(0, len(positions), {BLOCK}):",
        f"        rows = slice(start, start + {BLOCK})",
        f"        i = positions[rows]{narrow(v)}.T",
        "        macs[rows], params[rows] = batched_block(i, p[: len(i), : i.shape[1]])",
        "    return macs, params",
        "",
        "",
        "def batched_block(i: np.ndarray, p: np.ndarray) -> tuple[Any, Any]:",
        '    """`batched` for a block, [choices, n], with room for as many options in `p`."""',
        *indented(loads_many(v)),
        *indented(body(v)),
        *returned,
    ]


def narrow(v: Variables) -> str:
    """Makes positions as small as they can be: read in one sweep, they then stay in the cache while transposed."""
    most = max(map(len, v.diagrams.options), default=0)
    name = next((name for name, bits in (("uint8", 8), ("uint16", 16)) if most <= 1 << bits), "")
    return f".astype(np.{name}, copy=False)" if name else ""


def body(v: Variables) -> list[str]:
    """The statements that compute both totals."""
    macs, params = v.program.sums
    statements = Statements(v.names(), v.program.named, (macs, params))
    statements.assign("macs", macs)
    statements.assign("params", params)
    return statements.lines


def dictionary(name: str, items: Sequence[str]) -> list[str]:
    """`name = {...}` on one line if it fits, else one item a line."""
    return listed(f"{name} = {{", items, "}")


def indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]


SHORTHANDS = (
    "",
    "",
    "def macs(a: Mapping[str, Any]) -> int:",
    '    """The multiply-accumulates for one image."""',
    "    return cost(a)[0]",
    "",
    "",
    "def params(a: Mapping[str, Any]) -> int:",
    '    """The parameters in use: the support of the weights, one norm bank."""',
    "    return cost(a)[1]",
    "",
    "",
)
