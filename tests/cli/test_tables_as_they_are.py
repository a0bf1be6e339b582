"""Tables as people have them: rows to leave out, a zone, two columns for one time, lines above and delimiters after."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from bookcore import HoursError, QueryError
from bookcore.calendar import Calendar
from bookcore.tables import BadRow, ColumnError, TableError, fill, read_csv
from bookcore.tables.csvfile import LINE

Run = Callable[..., Result]

STATES = "resource,start,end,status\na,1,5,Confirmed\na,2,6,Canceled\nb,3,4,No-Show\nb,7,8,Confirmed\n"


def read(text: str, **arguments: Any) -> list[Any]:
    """Return the rows of a table."""
    with read_csv(io.StringIO(text), **arguments) as table:
        return list(table)


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        ({"leave_out": {"status": "Canceled"}}, [2, 4, 5]),
        ({"leave_out": {"status": ["Canceled", "No-Show"]}}, [2, 5]),
        ({"only": {"status": "Confirmed"}}, [2, 5]),
        ({"only": {"STATUS": {"No-Show"}}}, [4]),
        ({"only": {"status": " Confirmed"}}, [2, 5]),
        ({"leave_out": {"status": ["Canceled ", "\tNo-Show\n"]}}, [2, 5]),
        ({"only": {"status": "Confirmed"}, "leave_out": {"resource": "a"}}, [5]),
        ({"only": {"status": ()}}, []),
    ],
)
def test_rows_are_chosen_by_their_cells_and_those_left_out_are_counted(
    arguments: dict[str, Any], lines: list[int]
) -> None:
    """A row left out is neither booked nor bad."""
    with read_csv(io.StringIO(STATES), **arguments) as table:
        assert [row.line for row in table] == lines
        assert table.left_out == 4 - len(lines)
        assert table.unseen() == []


def test_a_value_that_no_row_has_is_told_so(run: Run, tmp_path: Path) -> None:
    """A cancellation spelt otherwise would be booked in silence."""
    file = tmp_path / "rows.csv"
    file.write_text(STATES)
    found = run("load", file, "--except", "status=Cancelled", "--except", "status=No-Show")
    assert "no row has status=Cancelled" in found.stdout and "1 row left out" in found.stdout
    as_json = json.loads(run("load", file, "--except", "status=Cancelled", "--json").stdout)
    assert (as_json["unseen"], as_json["left_out"]) == (["status=Cancelled"], 0)


@pytest.mark.parametrize("name", ["status", "State", "booking_status", "is_canceled", "Cancelled", "cancellation"])
def test_a_column_that_says_which_bookings_stand_is_pointed_out(run: Run, tmp_path: Path, name: str) -> None:
    """With its values and the option that leaves rows out, which works as it stands."""
    file = tmp_path / "rows.csv"
    file.write_text(STATES.replace("status", name))
    found = run("load", file)
    assert f"the column {name} has 'Confirmed', 'Canceled', 'No-Show'" in found.stdout
    assert f"--except '{name}=Canceled'" in found.stdout
    assert "the column" not in run("load", file, "--except", f"{name}=Canceled").stdout


@pytest.mark.parametrize("name", ["statue", "estate", "note", "candle"])
def test_other_columns_are_not_pointed_out(run: Run, tmp_path: Path, name: str) -> None:
    """Nor one whose rows are all alike."""
    file = tmp_path / "rows.csv"
    file.write_text(STATES.replace("status", name))
    assert "the column" not in run("load", file).stdout
    file.write_text("resource,start,end,status\na,1,5,Confirmed\nb,2,6,Confirmed\n")
    assert "the column" not in run("load", file).stdout


@pytest.mark.parametrize("option", ["status", "=Canceled", " =x"])
def test_a_choice_is_a_column_and_a_value(run: Run, tmp_path: Path, option: str) -> None:
    """Anything else is refused with an example; so is a column that is not there."""
    file = tmp_path / "rows.csv"
    file.write_text(STATES)
    for flag in ("--only", "--except"):
        found = run("load", file, flag, option)
        assert found.exit_code == 2 and "COLUMN=VALUE" in found.stderr
        assert "no column 'stat'" in run("load", file, flag, "stat=x").stderr
    with pytest.raises(ColumnError):
        read(STATES, only={"stat": "x"})


@pytest.mark.parametrize("wrong", [["status"], "status", {"status": 5}, {5: "x"}, {"status": [5]}])
def test_a_choice_in_python_maps_columns_to_texts(wrong: Any) -> None:
    """Named as what it is."""
    for name in ("only", "leave_out"):
        with pytest.raises(QueryError, match=name):
            read(STATES, **{name: wrong})


@pytest.mark.parametrize(
    ("columns", "first", "rows"),
    [
        ("Start Date,Start Time,End Date,End Time", "2026-07-04,09:30,2026-07-05,10:00", {}),
        ("Start Date,Start Time,End Date,End Time", " 2026-07-04 , 09:30 ,2026-07-05,10:00", {}),
        ("start date,start time,END DATE,END TIME", "2026-07-04,09:30,2026-07-05,10:00", {}),
        ("Start Date,Start Time,End Date,End Time", "04.07.2026,9:30,05.07.2026,10:00", {"date_format": "%d.%m.%Y %H:%M"}),
    ],
)
def test_a_date_and_a_time_in_two_columns_are_one_key(columns: str, first: str, rows: dict[str, str]) -> None:
    """The argument names both."""
    table = f"resource,{columns}\nroom,{first}\n"
    (row,) = read(table, start="Start Date,Start Time", end="End Date,End Time", **rows)
    assert (row.start, row.end) == (datetime(2026, 7, 4, 9, 30), datetime(2026, 7, 5, 10))


def test_two_columns_of_which_one_is_empty_or_missing() -> None:
    """A missing date or time is a bad row, a missing column an error that names it; one column may have such a name."""
    table = "resource,day,from,until\nroom,2026-07-04,09:30,2026-07-05T10:00\nroom,2026-07-04,,2026-07-05T10:00\n"
    rows = read(table + "room,,,2026-07-05T10:00\n", start="day,from", end="until")
    assert [type(row) is BadRow for row in rows] == [False, True, True]
    with pytest.raises(ColumnError, match=r"day,form"):
        read(table, start="day,form", end="until")
    (row,) = read('resource,"day,from",until\nroom,1,2\n', start="day,from", end="until")
    assert (row.start, row.end) == (1, 2)


@pytest.mark.parametrize(
    ("start", "end", "length"),
    [
        ("2026-10-25T02:50", "2026-10-25T02:10", 20),  # over the hour that comes twice
        ("2026-10-25T02:10", "2026-10-25T02:50", 40),
        ("2026-10-25T02:30:00", "2026-10-25T02:30", 0),  # equal, however it is written
        ("2026-10-25T02:30", "2026-10-25T02:30", 0),
        ("2026-10-25T00:30+00:00", "2026-10-25T02:30", 60),
        ("2026-03-29T01:50", "2026-03-29T03:10", 20),  # over the hour that is left out
        ("2026-07-04T09:00", "2026-07-04T10:00", 60),
        ("2026-10-25T00:30+00:00", "2026-10-25T02:00", 30),  # one of them names its zone
    ],
)
def test_a_trip_over_a_clock_change_loads_in_its_zone(start: str, end: str, length: int) -> None:
    """Times that name no zone are of the zone given."""
    calendar = Calendar()
    with read_csv(io.StringIO(f"resource,start,end\ncar,{start},{end}\n"), zone="Europe/Berlin") as table:
        (row,) = fill(calendar, table)
    if not length:
        assert isinstance(row, BadRow) and "holds no time" in row.detail
        return
    assert not isinstance(row, BadRow), row
    (event,) = calendar.bookings("car")
    assert (event.end.astimezone(UTC) - event.start.astimezone(UTC)).total_seconds() == 60 * length


@pytest.mark.parametrize(
    ("start", "end", "free"),
    [
        ("02:50", "02:10", "room\n"),  # over the hour that comes twice, as a row of the file is
        ("02:40", "02:05", ""),  # until five past two, the second time
        ("02:10", "02:30", ""),
        ("03:00", "04:00", "room\n"),
    ],
)
def test_a_question_over_a_clock_change_is_read_as_a_row_is(
    run: Run, tmp_path: Path, start: str, end: str, free: str
) -> None:
    """START and END are read as the file is; an END like START is no span, in both."""
    file = tmp_path / "rows.csv"
    file.write_text("resource,start,end\nroom,2026-10-25T00:10Z,2026-10-25T00:50Z\n")
    day = "2026-10-25T"
    for name in (["available"], ["why"]):
        asked = [f"{day}{start}", f"{day}{end}", "--zone", "Europe/Berlin", "--keys", "zoned"]
        found = run(*name, file, *(["room"] if name == ["why"] else []), *asked)
        assert found.exit_code == 0, found.stderr
        assert (found.stdout == free) if name == ["available"] else ("not available" in found.stdout) is not bool(free)
    assert run("available", file, f"{day}02:30", f"{day}02:30", "--zone", "Europe/Berlin").exit_code == 2


@pytest.mark.parametrize("zone", ["Europe/Berln", "", "../etc", "Berlin time", "\0"])
def test_an_unknown_zone_is_refused_by_name(run: Run, tmp_path: Path, zone: str) -> None:
    """With exit code 2."""
    table = "resource,start,end\ncar,2026-07-04T09:00,2026-07-04T10:00\n"
    with pytest.raises(HoursError):
        read(table, zone=zone)
    file = tmp_path / "rows.csv"
    file.write_text(table)
    if "\0" not in zone:
        assert run("load", file, "--zone", zone).exit_code == 2
    loaded = run("load", file, "--zone", "Europe/Berlin", "--save", tmp_path / "rows.bks")
    assert loaded.exit_code == 0 and "times with a zone" in loaded.stdout


def test_a_time_that_the_clocks_leave_out_is_a_bad_row() -> None:
    """There is no half past two on that morning in Berlin."""
    table = "resource,start,end\ncar,2026-03-29T02:30,2026-03-29T04:00\ncar,2026-03-29T01:00,2026-03-29T02:30\n"
    rows = read(table, zone="Europe/Berlin")
    assert all(isinstance(row, BadRow) and "set forward" in row.detail for row in rows)


@pytest.mark.parametrize("cells", ["1,2", "2026-07-04,2026-07-05", "spring,summer"])
def test_a_zone_of_what_is_no_time_is_refused(cells: str) -> None:
    """Numbers, dates and texts have none."""
    with pytest.raises(QueryError, match="a zone is that of times"):
        read(f"resource,start,end\ncar,{cells}\n", zone="Europe/Berlin")


@pytest.mark.parametrize(
    "above",
    ["sep=;\n", "SEP=;\r\n", "Mine\n", "Mine\n\nas of 2026;;\n", "sep=;\nMine;;;\n", "\n\n", '"a ""title"""\n',
     'Rods of 5" and more\n', '"Mine\n', 'Mine "\nas of "2026\n', 'a 5"\nb\n\nc\n', '"Ada\n"\n', "Mine, and yours, too\n"],
)
def test_lines_above_the_columns_are_passed_over(above: str) -> None:
    """What is above does not count, and the lines of the rows are those of the file."""
    (row,) = read(f"{above}resource;start;end\nroom;1;2\n")
    assert (row.resource, row.start, row.end) == ("room", 1, 2)
    assert row.line == above.count("\n") + 2
    if not above.casefold().startswith("sep="):
        (named,) = read(f"{above}resource;start;end\nroom;1;2\n", delimiter=";")
        assert named == row


@pytest.mark.parametrize(
    "header", ['resource,"start\ntime",end', 'resource,"start\nof\nit",end', '"start\ntime",resource,"end\ntime"']
)
def test_a_name_of_a_column_may_have_line_breaks(header: str) -> None:
    """Also below a title with an open quote."""
    start, end = (next(part.strip('"') for part in header.split(",") if word in part) for word in ("start", "end"))
    cells = {"resource": "room", start: "1", end: "2"}
    row = ",".join(cells[part.strip('"')] for part in header.split(","))
    for above in ("", "Mine\n", 'Rods of 5"\n'):
        (found,) = read(f"{above}{header}\n{row}\n", start=start, end=end)
        assert (found.resource, found.start, found.end) == ("room", 1, 2)


def test_a_wrong_delimiter_is_told_so_although_titles_come_first() -> None:
    """The line that has the columns decides."""
    with pytest.raises(TableError, match="is parted by ','"):
        read("Mine\n\nresource,start,end\nroom,1,2\n", delimiter=";")
    with pytest.raises(TableError, match="no column"):
        read("Mine; yours\nresource;begin;end\nroom;1;2\n", delimiter=";")

def test_a_delimiter_named_above_is_that_of_the_table() -> None:
    """Also one that no table would be tried with."""
    (row,) = read("sep=^\nresource^start^end\nroom^1^2\n")
    assert (row.start, row.end) == (1, 2)
    with pytest.raises(TableError):
        read("\n".join(["title"] * 30) + "\nresource,start,end\nroom,1,2\n")


@pytest.mark.parametrize("text", [
    "resource,start,end,\nroom,1,2,\n", "resource,start,end\nroom,1,2,\n", "resource,start,end,,\nroom,1,2,,\n",
    "resource,start,end,,\nroom,1,2\n", "resource;start;end;\nroom;1;2;\n",
])  # fmt: skip
def test_delimiters_at_the_end_of_a_line_are_nothing(text: str) -> None:
    """Neither a column nor a bad row; a cell with something in it is one."""
    assert [(row.start, row.end) for row in read(text)] == [(1, 2)]
    (bad,) = read(text.replace("room,1,2", "room,1,2,x").replace("room;1;2", "room;1;2;x"))
    assert isinstance(bad, BadRow)


class Endless(io.RawIOBase):
    """A file of one line that never ends."""

    read_so_far = 0

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Give as much as is asked for."""
        buffer[:] = b"x," * (len(buffer) // 2) + b"x" * (len(buffer) % 2)
        self.read_so_far += len(buffer)
        return len(buffer)


@pytest.mark.parametrize("before", ["", "resource,start,end\n", "resource,start,end\nroom,1,2\n", "title\n", "sep=,\n"])
def test_a_line_without_end_is_refused_early(before: str) -> None:
    """Wherever it stands."""
    rest = Endless()

    class File:
        """What is before, then the rest."""

        pending = before.encode()

        def read(self, size: int = -1) -> bytes:
            """Return some bytes."""
            if size and self.pending:
                now, self.pending = self.pending[:size], self.pending[size:]
                return now
            return rest.read(size) or b""

    with pytest.raises(TableError, match="characters"):
        list(read_csv(File()))  # type: ignore[arg-type]
    assert rest.read_so_far < 4 * LINE


def test_options_that_were_given_are_repeated_in_hints(run: Run, tmp_path: Path) -> None:
    """Those given several times as well."""
    file = tmp_path / "rows.csv"
    file.write_text(STATES + "c,9,9,Confirmed\n")
    found = run("available", file, "1", "2", "--except", "status=Canceled", "--except", "status=No-Show")
    assert "--except status=Canceled --except status=No-Show" in found.stderr
