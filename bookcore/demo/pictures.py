"""Pictures for a terminal: a Gantt chart of spans, and a heat map of the hours of a week. Needs Rich.

Both use block characters, fill a given width, and show the same facts with and without colour.

    bar       half a block, blocks with a label, half a block: its ends are exact to half a cell
    heat map  a row for each day, a cell for each hour: a shade of colour, or a block of that height without colour
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from rich.style import Style
from rich.text import Text

_HEIGHTS = " ▁▂▃▄▅▆▇█"
# the plasma colours of matplotlib (CC0), dark to light
_SHADES = (
    (13, 8, 135), (84, 2, 163), (139, 10, 165), (185, 50, 137), (219, 92, 104), (244, 136, 73), (254, 188, 43)
)  # fmt: skip
_HOUR = timedelta(hours=1)


class Bar(NamedTuple):
    """One span on a lane. It shows the first of ``labels`` that fits; a refused span is not ``solid``."""

    start: datetime
    end: datetime
    labels: Sequence[str]
    colour: str
    solid: bool = True


class Lane(NamedTuple):
    """One line of a Gantt chart. Its bars must not overlap."""

    label: str
    bars: Sequence[Bar]


def gantt(lanes: Sequence[Lane], begin: datetime, end: datetime, width: int) -> list[Text]:
    """Return the chart as lines of text: the hours, then one line for each lane. Bars are clipped to the chart.

    O(lanes x width).
    """
    left = max((len(lane.label) for lane in lanes), default=0) + 1
    cells = max(width - left, 12)
    halves = 2 * cells
    span = end - begin

    def half(moment: datetime) -> int:
        return round(min(max((moment - begin) / span, 0.0), 1.0) * halves)

    lines = [_hours(begin, end, left, cells)]
    for lane in lanes:
        line = Text.assemble((lane.label.ljust(left), "bold"))
        at = 0
        for bar in sorted(lane.bars, key=lambda bar: bar.start):
            if not (bar.start < end and begin < bar.end):
                continue
            low, high = min(half(bar.start), halves - 1), half(bar.end)
            high = max(high, low + 1)
            first, last = max(low // 2, at), (high + 1) // 2
            line.append(_empty(at, first, span, cells))
            line.append(_bar(bar, low, high, first, last))
            at = max(last, first)
        line.append(_empty(at, cells, span, cells))
        lines.append(line)
    return lines


def _hours(begin: datetime, end: datetime, left: int, cells: int) -> Text:
    """Return the axis: as many hours as fit, each above its first cell."""
    hours = round((end - begin) / _HOUR)
    step = next((step for step in (1, 2, 3, 6, 12, 24) if cells * step // hours >= 4), 24)
    row = [" "] * (left + cells)
    for hour in range(0, hours, step):
        at = left + cells * hour // hours
        row[at : at + 2] = f"{(begin + hour * _HOUR).hour:02}"
    return Text("".join(row[: left + cells]), style="dim")


def _empty(low: int, high: int, span: timedelta, cells: int) -> Text:
    """Return free time, with a dot at the start of every third hour."""
    hours = round(span / _HOUR)
    dots = {cells * hour // hours for hour in range(0, hours, 3)}
    return Text.assemble(("".join("·" if cell in dots else " " for cell in range(low, high)), "dim"))


def _bar(bar: Bar, low: int, high: int, first: int, last: int) -> Text:
    """Return one bar for the cells from *first* to *last* (excluded)."""
    fill = "█" if bar.solid else "░"
    body = [fill] * (last - first)
    if body and bar.solid:
        if low % 2 and low // 2 == first:
            body[0] = "▐"
        if high % 2:
            body[-1] = "▌" if body[-1] == fill else "┃"
    text = Text.assemble(("".join(body), bar.colour))
    inside = len(body) - 2
    label = next((label for label in bar.labels if len(label) <= inside), "")
    if label:
        at = 1 + (inside - len(label)) // 2
        style = f"bold black on {bar.colour}" if bar.solid else f"bold {bar.colour}"
        text = Text.assemble(text[:at], (label, style), text[at + len(label) :])
    return text


def heat_map(counts: Sequence[int], monday: datetime, width: int, *, colour: bool) -> list[Text]:
    """Return 168 hourly *counts* as lines of text, with a line of hours and a legend. O(counts)."""
    top = max(*counts, 1)
    names = [f"{monday + n * 24 * _HOUR:%a %d} " for n in range(7)]
    left = len(names[0])
    cell = min(max((width - left) // 24, 1), 4)
    if cell >= 3:
        axis = "".join(f"{hour:02}".rjust(cell) for hour in range(24))
    else:
        axis = "".join(f"{hour:02}".ljust(3 * cell) for hour in range(0, 24, 3))
    lines = [Text(" " * left + axis, style="dim")]
    for day, name in enumerate(names):
        line = Text.assemble((name, "bold"))
        for count in counts[24 * day : 24 * day + 24]:
            if colour:
                shown = str(count).rjust(cell) if cell > 2 and count < 10**cell else " " * cell
                line.append(shown, style=_shade(count / top))
            else:
                line.append(_HEIGHTS[-(-8 * count // top)] * cell)
        lines.append(line)
    lines.append(_legend(left, top, colour))
    return lines


def _shade(part: float) -> Style:
    """Return the style for a *part* of the highest count: a shade, and a text colour with enough contrast."""
    place = part * (len(_SHADES) - 1)
    below = min(int(place), len(_SHADES) - 2)
    neighbours = zip(_SHADES[below], _SHADES[below + 1], strict=True)
    mixed = [round(a + (b - a) * (place - below)) for a, b in neighbours]
    ink = "black" if part > 0.6 else "white"
    return Style.parse(f"{ink} on rgb({mixed[0]},{mixed[1]},{mixed[2]})")


def _legend(left: int, top: int, colour: bool) -> Text:
    line = Text(" " * left + "0 ", style="dim")
    for step in range(1, 9) if not colour else range(9):
        if colour:
            line.append("  ", style=_shade(step / 8))
        else:
            line.append(_HEIGHTS[step])
    return line.append(f" {top}", style="dim")
