"""The hint to a date format: derived from all rows; copied word for word, it loads the right months or refuses."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import pytest
from typer.testing import Result

from bookcore.calendar import Calendar
from bookcore.tables import DateFormatError, KeyReader, UnclearKeysError, fill, read_csv
from bookcore.tables.date_formats import formats_of

Run = Callable[..., Result]

DECIDED = [
    (["04/07/2026", "28/07/2026"], "%d/%m/%Y", date(2026, 7, 4)),
    (["04/07/2026", "04/28/2026"], "%m/%d/%Y", date(2026, 4, 7)),
    (["04.07.2026", "28.07.2026"], "%d.%m.%Y", date(2026, 7, 4)),
    (["04-07-2026", "04-28-2026"], "%m-%d-%Y", date(2026, 4, 7)),
    (["4/7/26", "28/7/26"], "%d/%m/%y", date(2026, 7, 4)),
    (["4/7/26", "4/28/26"], "%m/%d/%y", date(2026, 4, 7)),
    (["2026/07/04", "2026/07/05"], "%Y/%m/%d", date(2026, 7, 4)),
    (["2026-7-4", "2026-7-5"], "%Y-%m-%d", date(2026, 7, 4)),
    (["4 Jul 2026", "5 Jul 2026"], "%d %b %Y", date(2026, 7, 4)),
    (["4-Jul-26", "5-Jul-26"], "%d-%b-%y", date(2026, 7, 4)),
    (["Jul 4, 2026", "Jul 5, 2026"], "%b %d, %Y", date(2026, 7, 4)),
    (["4 May 2026", "5 May 2026"], "%d %b %Y", date(2026, 5, 4)),
    (["May 4, 2026", "May 28, 2026"], "%b %d, %Y", date(2026, 5, 4)),
    (["4-May-26", "5-May-26"], "%d-%b-%y", date(2026, 5, 4)),
    (["4 May 2026 9:30 PM", "5 May 2026 1:00 AM"], "%d %b %Y %I:%M %p", datetime(2026, 5, 4, 21, 30)),
    (["4 May 2026", "5 July 2026"], "%d %B %Y", date(2026, 5, 4)),
    (["4 May 2026", "5 Jul 2026"], "%d %b %Y", date(2026, 5, 4)),
    (["4 July 2026", "5 July 2026"], "%d %B %Y", date(2026, 7, 4)),
    (["04/07/2026 9:30", "28/07/2026 10:00"], "%d/%m/%Y %H:%M", datetime(2026, 7, 4, 9, 30)),
    (["04/07/2026 09:30:15", "04/28/2026 10:00:00"], "%m/%d/%Y %H:%M:%S", datetime(2026, 4, 7, 9, 30, 15)),
    (["4/7/2026 9:30 PM", "28/7/2026 1:00 AM"], "%d/%m/%Y %I:%M %p", datetime(2026, 7, 4, 21, 30)),
    (["4/7/2026 9:30PM", "4/28/2026 1:00AM"], "%m/%d/%Y %I:%M%p", datetime(2026, 4, 7, 21, 30)),
    (["4/7/2026 9:30 a.m.", "4/28/2026 1:00 p.m."], "%m/%d/%Y %I:%M %p", datetime(2026, 4, 7, 9, 30)),
    (["4/7/2026 9:30 P.M.", "4/28/2026 1:00 A.M."], "%m/%d/%Y %I:%M %p", datetime(2026, 4, 7, 21, 30)),
    (["28/07/2026 9:30\xa0p.\xa0m.", "4/07/2026 1:00\xa0a.\xa0m."], "%d/%m/%Y %I:%M %p", datetime(2026, 7, 28, 21, 30)),
    (["28.07.2026 9:30p.m.", "4.07.2026 1:00:15a.m."][:1], "%d.%m.%Y %I:%M%p", datetime(2026, 7, 28, 21, 30)),
    (["28 July 2026, 9:30 p. m.", "4 July 2026, 1:00 am"], "%d %B %Y, %I:%M %p", datetime(2026, 7, 28, 21, 30)),
    (["28/07/26 9am", "04/07/26 10pm"], "%d/%m/%y %I%p", datetime(2026, 7, 28, 9)),
    (["Jul 4 2026 9 p.m."], "%b %d %Y %I %p", datetime(2026, 7, 4, 21)),
    (["4/28/26 12:05:00 AM", "4/29/26 12:05:00 PM"], "%m/%d/%y %I:%M:%S %p", datetime(2026, 4, 28, 0, 5)),
]
UNDECIDED = [
    ["04/07/2026", "05/07/2026"],
    ["1.2.2026", "12.12.2026"],
    ["4-7-26", "5-7-26"],
    ["04/07/2026 9:30", "05/07/2026 9:30"],
    ["4/7/2026 9:30 PM", "5/7/2026 1:00 AM"],
    ["03/07/26 9am", "04/07/26 10am"],
    ["26/07/04", "26/07/28", "26/08/01"],  # the year may be in the first place, or the last
]


def table(tmp_path: Path, cells: list[str]) -> Path:
    """Write a file of bookings, each of one point."""
    file = tmp_path / "rows.csv"
    rows = [f'flat {at},"{cell}","{cell}"\n' for at, cell in enumerate(cells)]
    file.write_text("resource,start,end\n" + "".join(rows))
    return file


@pytest.mark.parametrize(("cells", "form", "first"), DECIDED, ids=[form for _, form, _ in DECIDED])
def test_the_rows_decide_the_hint_and_the_hint_reads_the_right_months(
    run: Run, tmp_path: Path, cells: list[str], form: str, first: date
) -> None:
    """One format is named, and it reads the file."""
    file = table(tmp_path, cells)
    refused = run("load", file)
    assert refused.exit_code == 2
    named = re.findall(r"--date-format '([^']*)'", refused.stderr)
    assert named == [form]
    loaded = run("load", file, "--date-format", named[0], "--bounds", "[]")
    assert loaded.exit_code == 0, loaded.stdout
    calendar = Calendar(bounds="[]")
    with read_csv(file, date_format=named[0], bounds="[]") as rows:
        list(fill(calendar, rows))
    assert next(calendar.bookings("flat 0")).start == first


@pytest.mark.parametrize("cells", UNDECIDED, ids=str)
def test_what_cannot_be_decided_is_said_with_both_readings(run: Run, tmp_path: Path, cells: list[str]) -> None:
    """Nothing is loaded, and no format is proposed alone."""
    refused = run("load", table(tmp_path, cells))
    assert refused.exit_code == 2
    named = re.findall(r"--date-format '([^']*)'", refused.stderr)
    assert len(named) == 2 == len(set(named))
    assert "2 ways" in refused.stderr and all(f"with '{form}'" in refused.stderr for form in named)
    with pytest.raises(UnclearKeysError) as caught:
        read_csv(table(tmp_path, cells))
    assert list(caught.value.formats) == named


@pytest.mark.parametrize(
    "cells",
    [
        ["04/07/2026", "4.7.2026"], ["32/13/2026"], ["04/07/2026 9:30", "5.7.2026"],
        ["03.07.2026 09:00 Uhr", "04.07.2026 09:00 Uhr"], ["4 июля 2026", "5 июля 2026"],
    ],
    ids=str,
)  # fmt: skip
def test_where_no_format_reads_most_one_is_shown_as_an_example(run: Run, tmp_path: Path, cells: list[str]) -> None:
    """The file is refused, and the hint does not propose to compare dates letter by letter."""
    refused = run("load", table(tmp_path, cells))
    assert refused.exit_code == 2
    assert "--date-format with a format of Python's strptime, as '%d/%m/%Y %H:%M' reads 28/07/2026 09:30" in refused.stderr
    assert "text" not in refused.stderr


@pytest.mark.parametrize("bad", ["32.1.2026", "31.2.2026", "1.13.2026", "1.1.26", "tbd", "2026-01-01"])
@pytest.mark.parametrize("at", [0, 698])
def test_one_mistyped_date_hides_no_format(run: Run, tmp_path: Path, bad: str, at: int) -> None:
    """The format that reads the others is proposed with the line of the first that it does not read."""
    cells = [f"{number % 28 + 1}.{number % 12 + 1}.2026" for number in range(3000)]
    cells[at] = bad
    refused = run("load", file := table(tmp_path, cells))
    assert refused.exit_code == 2
    assert f"'%d.%m.%Y' reads 1,998 of 2,000 keys; the first other is '{bad}' in line {at + 2}" in refused.stderr
    assert refused.stderr.endswith("Say which:  --date-format '%d.%m.%Y'\n")
    loaded = run("load", file, "--date-format", "%d.%m.%Y", "--bounds", "[]")
    assert loaded.stdout.startswith("2,999 bookings")
    assert loaded.stderr == f"line {at + 2}: unreadable time: start '{bad}' does not have the format %d.%m.%Y\n"


def test_mistyped_dates_do_not_decide_between_day_and_month(run: Run, tmp_path: Path) -> None:
    """Both orders are named where either misses about as many."""
    cells = ["4/7/2026", "5/8/2026", "6/9/2026", "28/7/2026", "7/28/2026", "1/1/2026"]
    refused = run("load", table(tmp_path, cells))
    assert re.findall(r"--date-format '([^']*)'", refused.stderr) == ["%d/%m/%Y", "%m/%d/%Y"]
    assert formats_of([*cells, "32/7/2026"]) == ("%d/%m/%Y", "%m/%d/%Y")
    assert formats_of(["28/7/2026"] * 10 + cells[:3] + ["32/7/2026"]) == ("%d/%m/%Y",)
    assert formats_of(["4 May 2026", "5 May 2026", "5 July 2026", "5 Jly 2026"]) == ("%d %B %Y",)


def test_text_is_proposed_last_where_few_cells_look_like_dates(run: Run, tmp_path: Path) -> None:
    """Names among which one has digits and a colon."""
    refused = run("load", table(tmp_path, ["spring", "summer", "9:30 club"]))
    assert refused.exit_code == 2
    assert "--date-format" in refused.stderr
    assert refused.stderr.endswith("or:  --keys text\n")


def test_a_row_far_down_decides() -> None:
    """All rows that were looked at are read, not the first."""
    cells = [f"{day:02}/07/2026" for day in range(1, 13)] * 50
    assert len(formats_of(cells)) == 2
    assert formats_of([*cells, "28/07/2026"]) == ("%d/%m/%Y",)
    assert formats_of([*cells, "07/28/2026"]) == ("%m/%d/%Y",)
    assert formats_of([*cells, "28/28/2026"]) == ("%d/%m/%Y", "%m/%d/%Y")
    assert formats_of(["28/28/2026"]) == formats_of([]) == ()


@pytest.mark.parametrize(
    ("column", "cell", "key"),
    [
        ("start_date", "20260728", date(2026, 7, 28)),
        ("Date", "20260101", date(2026, 1, 1)),
        ("start", "20260728", 20260728),
        ("start_date", "20261328", 20261328),
        ("start_date", "2026072", 2026072),
    ],
)
def test_a_date_without_dashes_is_one_where_the_columns_say_so(tmp_path: Path, column: str, cell: str, key: object) -> None:
    """Elsewhere it is a whole number."""
    file = tmp_path / "rows.csv"
    file.write_text(f"resource,{column},{column}2\nflat,{cell},{cell}\n")
    with read_csv(file, start=column, end=f"{column}2", bounds="[]") as rows:
        assert next(rows).start == key  # type: ignore[union-attr]


@pytest.mark.parametrize("form", ["%d/%m/%Y %H:%M %Z", "%Z %d.%m.%Y", "%Y%m%d%Z", "%H:%M%Z %d/%m/%y", "%%%Z %d/%m/%y"])
def test_a_zone_that_would_be_forgotten_is_refused(form: str) -> None:
    """Python reads a zone's name and returns a time without a zone."""
    with pytest.raises(DateFormatError, match="forgets"):
        KeyReader(None, date_format=form)


@pytest.mark.parametrize(
    "cell",
    [
        "1. Januar 2026", "4. Jul. 2026", "4 de julio de 2026", "2026年7月4日", "2026. 07. 04.", "2026. 7. 4.",
        "4 июля 2026", "4.VII.2026", "04. 07. 2026", "4 / 7 / 2026", "July 4th, 2026",
        "sábado, 4 de julio de 2026", "07/2026",
    ],
)  # fmt: skip
def test_dates_of_any_language_are_not_compared_letter_by_letter(cell: str) -> None:
    """As text the tenth would come before the second."""
    with pytest.raises(UnclearKeysError, match="not ISO 8601"):
        KeyReader.for_cells([cell, cell])


@pytest.mark.parametrize("cell", ["spring 2026", "room 12", "2026-07", "v1.2", "lot 2026/17", "1 " * 60_000, "chapter 12"])
def test_text_with_numbers_stays_text(cell: str) -> None:
    """A year alone, or numbers without a year, are no date."""
    assert str(KeyReader.for_cells([cell]).kind) == "text"


@pytest.mark.parametrize(
    ("cells", "formats"),
    [
        (["04072026", "28072026"], ("%d%m%Y",)),
        (["04072026", "04282026"], ("%m%d%Y",)),
        (["04072026", "05072026"], ("%d%m%Y", "%m%d%Y")),
        (["28072026"], ("%d%m%Y",)),
        (["28072026", "27072026", "32072026"], ("%d%m%Y",)),
        (["28072026", "27072026", "28070026"], ("%d%m%Y",)),
        (["4072026", "28072026"], ()),  # a format would read 4072026 as 40 July
        (["1112026", "2112026"], ()),
    ],
)
def test_whole_numbers_with_the_year_last_are_no_numbers_where_the_columns_hold_dates(
    cells: list[str], formats: tuple[str, ...]
) -> None:
    """As numbers the second of each month would come before the third of any."""
    with pytest.raises(UnclearKeysError) as caught:
        KeyReader.for_cells(cells, dates=True)
    assert caught.value.formats == formats
    assert str(KeyReader.for_cells(cells).kind) == "int"


@pytest.mark.parametrize("cells", [["46000", "46001"], ["12345678"], ["28072026", "5"], ["1785110400"]])
def test_other_whole_numbers_stay_numbers(cells: list[str]) -> None:
    """Days since some day, seconds, and numbers of which only one could be a date."""
    assert str(KeyReader.for_cells(cells, dates=True).kind) == "int"
