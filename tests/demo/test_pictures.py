"""Pictures fit the width they are given, and say the same without colour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from rich.cells import cell_len

from bookcore.demo.pictures import Bar, Lane, gantt, heat_map

DAY = datetime(2013, 7, 22, tzinfo=UTC)
HOUR = timedelta(hours=1)


def bar(low: float, high: float, *labels: str, solid: bool = True) -> Bar:
    return Bar(DAY + low * HOUR, DAY + high * HOUR, labels, "cyan", solid)


def test_bars_lie_where_their_hours_are() -> None:
    """48 cells for 24 hours: an hour is two cells, a quarter of an hour is half a cell."""
    (axis, lane) = gantt([Lane("x", [bar(3, 5), bar(6.25, 8.75)])], DAY, DAY + 24 * HOUR, 50)
    assert axis.plain[2:4] == "00"
    assert lane.plain[2:].index("█") == 6
    assert lane.plain[2 + 6 : 2 + 10] == "████"
    assert lane.plain[2 + 12 : 2 + 18] == "▐████▌"


def test_label_is_the_first_that_fits() -> None:
    """A long bar takes the long label, a short one the short one, a tiny one none."""
    lane = Lane(
        "x", [bar(0, 8, "DL120 LAX", "LAX"), bar(9, 12, "DL120 LAX", "LAX"), bar(13, 14, "DL120 LAX", "LAX")]
    )
    plain = gantt([lane], DAY, DAY + 24 * HOUR, 50)[1].plain
    assert plain.count("DL120 LAX") == 1
    assert plain.count("LAX") == 2


def test_bars_that_go_on_outside_are_cut() -> None:
    """What begins the day before or ends the day after reaches the edge and no further."""
    plain = gantt([Lane("x", [bar(-5, 2), bar(23, 30)])], DAY, DAY + 24 * HOUR, 50)[1].plain
    assert len(plain) == 50
    assert plain[2:6] == "████"
    assert plain[-2:] == "██"


def test_refused_bars_look_different_without_colour() -> None:
    """Another block, not just another colour."""
    plain = gantt([Lane("x", [bar(2, 9, "LAX", solid=False)])], DAY, DAY + 24 * HOUR, 50)[1].plain
    assert "░LAX░" in plain
    assert "█" not in plain


@pytest.mark.parametrize("width", [20, 60, 80, 100, 120, 200])
def test_no_line_is_wider_than_the_width(width: int) -> None:
    """At every width, every line of both pictures."""
    lanes = [Lane("N12345", [bar(0.5 + n, 1.2 + n, "LAX") for n in range(0, 22, 2)]), Lane("", [])]
    lines = gantt(lanes, DAY, DAY + 24 * HOUR, width)
    if width >= 40:
        lines += [
            line for colour in (True, False) for line in heat_map(list(range(168)), DAY, width, colour=colour)
        ]
    assert max(cell_len(line.plain) for line in lines) <= width


def test_many_short_bars_never_push_each_other_out_of_line() -> None:
    """Bars closer than a cell share what room there is; the line keeps its length."""
    crowd = [bar(n / 10, n / 10 + 0.05) for n in range(240)]
    assert cell_len(gantt([Lane("x", crowd)], DAY, DAY + 24 * HOUR, 50)[1].plain) == 50


def test_heat_map_shows_counts_in_colour_and_heights_without() -> None:
    """The same week both ways: numbers on shades, or blocks of that height."""
    counts = [0] * 168
    counts[24 + 5] = 40
    counts[24 + 6] = 20
    shown = heat_map(counts, DAY, 80, colour=True)[2].plain
    assert shown.startswith("Tue 23")
    assert shown.split()[2:] == ["0"] * 5 + ["40", "20"] + ["0"] * 17
    blocks = heat_map(counts, DAY, 80, colour=False)[2].plain
    assert blocks.count("█") == blocks.count("▄") == 3
    assert blocks.index("█") < blocks.index("▄")


def test_heat_map_of_an_empty_week_is_drawn() -> None:
    """Nothing in use is no reason to divide by zero."""
    for colour in (True, False):
        assert len(heat_map([0] * 168, DAY, 80, colour=colour)) == 9
