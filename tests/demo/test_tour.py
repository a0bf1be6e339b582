"""The tour prints every part, fits the terminal it is given, and owns up when answers differ."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from bookcore.cli import main
from bookcore.demo.flights import Flights
from bookcore.demo.questions import Timing
from bookcore.demo.tour import Tour, seconds, times


def take(
    week: Flights, width: int, *, terminal: bool = True, colour: bool = True, **options: str
) -> list[str]:
    """Run the tour in a terminal of that width and return the lines it printed, without their colours."""
    output = io.StringIO()
    console = Console(
        file=output,
        width=width,
        force_terminal=terminal,
        color_system="truecolor" if colour else None,
        highlight=False,
        legacy_windows=False,
    )
    assert Tour(console, **options).run(week)  # type: ignore[arg-type]
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output.getvalue())
    return [line.split("\r")[-1] for line in shown.splitlines()]


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_is_wider_than_the_terminal(week: Flights, width: int) -> None:
    """Nothing wraps or breaks, and no picture is cut."""
    lines = take(week, width)
    assert max(map(len, lines)) <= width
    hours = next(line for line in lines if line.split()[:2] == ["00", "01"])
    assert hours.split() == [f"{hour:02}" for hour in range(24)]
    rows = [line.split() for line in lines if line.split()[1:2] == ["DL1443"]]
    assert rows[-1] == [
        "N705TW",
        "DL1443",
        "JFK-SEA",
        "24",
        "Jul",
        "13:25-19:17",
        "DL120",
        "JFK-LAX",
        "12:58-18:40",
    ]


def test_every_part_is_shown(week: Flights) -> None:
    """The refused flight by name, who is free, ten aircraft, who blocks, two pictures, the timings."""
    lines = take(week, 100)
    assert max(map(len, lines)) <= 100
    text = "\n".join(lines)
    for part in (
        "Booking one by one",
        "refused: no aircraft is in two places at once",
        "N705TW    DL1443 JFK-SEA",
        "Who is free on Wednesday, 24 July 2013?",
        "The first ten Airbuses near BOS",
        "Who blocks N192JB on that day?",
        "DL1443 SEA refused",
        "Mon 22",
        "How long it took, beside SQLite",
    ):
        assert part in text, part
    assert "NO" not in [word for line in text.splitlines() for word in line.split()[-1:]]


def test_without_colour_it_is_plain_text_and_as_telling(week: Flights) -> None:
    """Into a file: no escape codes; the heat map is of blocks, the refused flight of another block."""
    lines = take(week, 100, terminal=False, colour=False)
    assert not any("\x1b" in line for line in lines)
    assert any(re.search(r"Wed 24 [▁▂▃▄▅▆▇█]{72}", line) for line in lines)
    assert any("░DL1443 SEA refused░" in line for line in lines)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_demo_prints_on_any_encoding(
    week: Flights, encoding: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its blocks and lines become letters that look alike, each in one column."""
    written = io.BytesIO()
    monkeypatch.setattr("bookcore.demo.flights.read_flights", lambda: week)
    monkeypatch.setattr("sys.argv", ["bookcore", "demo"])
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding=encoding))
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code, capsys.readouterr().err) == (0, "")
    shown = written.getvalue()
    assert b"How long it took" in shown
    assert b"######" in shown
    assert b"-----" in shown
    assert b"\\u2" not in shown


def test_aircraft_can_be_chosen(week: Flights) -> None:
    """Then it is the one whose day is shown, busy or not."""
    lines = take(week, 100, aircraft="N14228")
    assert any("Who blocks N14228 on that day?" in line for line in lines)


def test_differing_answers_are_reported() -> None:
    """One wrong answer makes the tour say so, and fail."""
    output = io.StringIO()
    tour = Tour(Console(file=output, width=100))
    right, wrong = Timing("a", 1e-6, 1e-3, True), Timing("b", 1e-3, 1e-6, False)
    assert tour.speed([right])
    assert not tour.speed([right, wrong])
    assert "disagree" in output.getvalue()


@pytest.mark.parametrize(
    ("value", "text"),
    [(2.5, "2.5 s"), (0.25, "250 ms"), (0.0042, "4.2 ms"), (4.2e-6, "4.2 us"), (3e-7, "0.3 us")],
)
def test_seconds_are_in_the_unit_that_suits(value: float, text: str) -> None:
    """Two or three figures."""
    assert seconds(value) == text


def test_ratios_have_two_figures_or_so() -> None:
    """A ratio below one is not rounded away."""
    assert [times(ratio) for ratio in (0.352, 8.23, 127.4)] == ["0.35x", "8.2x", "127x"]
