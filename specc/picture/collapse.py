"""Equal neighbours drawn once, with their number."""

from __future__ import annotations

from dataclasses import replace

from specc.picture.view import Cell, Detour, Unit


def collapse(units: tuple[Unit, ...], least: int) -> tuple[Unit, ...]:
    """Runs of at least `least` equal units as one of them, its colours the run's mean; cells of one unit likewise."""
    units = tuple(within(unit, least) for unit in units)
    found: list[Unit] = []
    for unit in units:
        if found and shape(found[-1]) == shape(unit):
            found[-1] = merged(found[-1], unit)
        else:
            found.append(unit)
    if all(unit.count == 1 for unit in found):
        return units
    kept: list[Unit] = []
    at = 0
    for unit in found:
        kept.extend([unit] if unit.count >= least else units[at : at + unit.count])
        at += unit.count
    return tuple(kept)


def shape(unit: Unit) -> object:
    """What two units have in common that are drawn as one."""
    around = tuple((d.first, d.last, d.saves, d.taken) for d in unit.detours)
    return tuple((cell.signature, cell.count) for cell in unit.cells), around


def merged(many: Unit, one: Unit) -> Unit:
    """A unit that stands for one more."""
    cells = tuple(joined(a, b, many.count) for a, b in zip(many.cells, one.cells, strict=True))
    detours = tuple(both_ways(a, b) for a, b in zip(many.detours, one.detours, strict=True))
    return Unit(cells, detours, many.count + 1)


def both_ways(a: Detour, b: Detour) -> Detour:
    label = f"{a.label.split(' … ')[0]} … {b.label}"
    return replace(a, label=label, on_path=a.on_path and b.on_path, hover=(f"left out unless {label}", *a.hover[1:]))


def joined(many: Cell, one: Cell, count: int) -> Cell:
    chips = tuple(
        replace(
            a,
            level=mean(a.level, b.level, count),
            dot=mean(a.dot, b.dot, count),
            important=a.important or b.important,
            on_path=a.on_path or b.on_path,
        )
        for a, b in zip(many.chips, one.chips, strict=True)
    )
    links = tuple(replace(a, on_path=a.on_path or b.on_path) for a, b in zip(many.links, one.links, strict=True))
    last = one.last or one.name
    return replace(many, chips=chips, links=links, last=last, on_path=many.on_path or one.on_path)


def mean(a: float | None, b: float | None, count: int) -> float | None:
    return None if a is None or b is None else (a * count + b) / (count + 1)


def within(unit: Unit, least: int) -> Unit:
    """A unit of one detour around equal cells, with these drawn once."""
    cells = unit.cells
    if len(cells) < least or len(unit.detours) > 1 or len({cell.signature for cell in cells}) > 1:
        return unit
    one = cells[0]
    for count, cell in enumerate(cells[1:], start=1):
        one = joined(one, cell, count)
    detours = tuple(replace(detour, first=0, last=0) for detour in unit.detours)
    return Unit((replace(one, count=len(cells)),), detours, unit.count)
