"""A table is booked at once, and reported as if each row had been booked at its turn."""

from __future__ import annotations

import io
import os
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from bookcore import BookingEvent, Calendar, MemoryStore, Resource
from bookcore.errors import StoreError
from bookcore.tables import BadRow, CsvTable, Reason, Row, TableError, fill, filling, read_csv
from bookcore.testing.sizes import SMALL

MANY = 300 if os.environ.get("BOOKCORE_EXAMPLES") == "many" else 60
START = datetime(2026, 10, 24, 20)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have tables be booked in short blocks."""
    monkeypatch.setattr(filling, "MOST", 40)


def random_table(rng: random.Random) -> tuple[str, dict[str, Any]]:
    """Return a table with good rows, bad rows, conflicts and ids that come twice, and arguments of `read_csv`."""
    ids, many = rng.choice([None, "all", "all", "some"]), rng.random() < 0.2
    kind, rooms = rng.choice(["int", "date", "time", "zone", "offset"]), rng.choice([1, 3, 8])
    lines = ["resource,start,end" + (",id" if ids else "") + (",quantity" if many else "")]
    for _ in range(rng.randrange(2, 90)):
        low = rng.randrange(rng.choice([40, 400]))
        high = low + rng.choice([-1, 0, 1, 1, 1, 2, 2, 3, 30])
        cells = [f"room {rng.randrange(rooms)}", shown(kind, low), shown(kind, high)]
        if ids:
            cells.append("" if ids == "some" and rng.random() < 0.2 else f"b{rng.randrange(200)}")
        if many:
            cells.append(rng.choice(["", "1", "1", "2", "x"]))
        if rng.random() < 0.1:
            cells[rng.randrange(len(cells))] = rng.choice(["", "?", "\udc80", "a,b"])
        lines.append(",".join(cells))
        if rng.random() < 0.05:
            lines.append("")
    options: dict[str, Any] = {"zone": "Europe/Berlin"} if kind == "zone" else {}
    if rng.random() < 0.2:
        options["open_ends"] = True
    return "\n".join(lines), options | {"keys": {"zone": "zoned", "offset": "zoned", "time": "datetime"}.get(kind, kind)}


def shown(kind: str, number: int) -> str:
    if kind == "int":
        return str(number)
    when = START + timedelta(minutes=15 * number)
    if kind == "date":
        return f"{START + timedelta(days=number):%Y-%m-%d}"
    return f"{when:%Y-%m-%dT%H:%M}" + ("+02:00" if kind == "offset" else "")


def table_of(text: str, options: dict[str, Any], bounds: str) -> CsvTable:
    return read_csv(io.BytesIO(text.encode("utf-8", "surrogateescape")), bounds=bounds, **options)


@pytest.mark.usefixtures("few")
def test_tables_give_the_same_report_at_once_as_row_by_row(counting: Any) -> None:
    """The same rows refused in the same words, and the same calendar under the same ids."""
    at_once = refused = 0
    for seed in range(MANY):
        said = []
        for whole in (True, False):
            rng = random.Random(seed)
            text, options = random_table(rng)
            bounds: Any = rng.choice(["[)", "[)", "[]"])
            store = counting()
            store.sizes = SMALL
            calendar = Calendar(store, bounds=bounds)
            capacity = rng.choice([1, 1, 1, 2])
            if rng.random() < 0.3:
                calendar.add_resource(Resource("room 0", capacity=rng.choice([1, 1, 2])))
            if rng.random() < 0.2:
                list(fill(calendar, list(table_of(text, options, bounds))[: rng.randrange(9)], name_by_line=True))
            before = store.load_count
            with table_of(text, options, bounds) as table:
                rows = table if whole else iter(list(table))
                by_line = not table.has_ids and rng.random() < 0.7
                report = list(fill(calendar, rows, capacity=capacity, name_by_line=by_line))
            at_once += store.load_count - before
            refused += sum(isinstance(row, BadRow) and row.reason is Reason.OVERLAP for row in report)
            ids = [str(each.id) for each in calendar.bookings()]
            said.append((report, calendar.digest(), calendar.resources.ids(), ids))
            calendar.check()
        assert said[0] == said[1], seed
    assert at_once > 5 * MANY and refused > 5 * MANY


@pytest.mark.parametrize("ids", [True, False])
def test_a_table_is_booked_by_one_load(counting: Any, ids: bool) -> None:
    """No row is put by itself, with conflicts among them, under ids or lines; those that are no table are put row by row."""
    lines = [f"room {n % 7},{n},{n + (9 if n % 100 else 30)}" + f",b{n}" * ids for n in range(1000)]
    text = "\n".join(["resource,start,end" + ",id" * ids, *lines])
    for whole in (True, False):
        store = counting()
        calendar = Calendar(store)
        with table_of(text, {}, "[)") as table:
            report = list(fill(calendar, table if whole else iter(list(table)), name_by_line=not ids))
        refused = sum(isinstance(row, BadRow) for row in report)
        assert refused > 10
        assert (store.load_count, store.put_count, len(calendar)) == (
            (1000 - refused, 0, 1000 - refused) if whole else (0, 1000 - refused, 1000 - refused)
        )


def test_lines_of_several_tables_may_have_equal_numbers() -> None:
    """Whether the tables are given one after the other or as one iterable; the later line gets a number as its id."""
    texts = ["resource,start,end\nloft,1,2\nloft,2,3", "resource,start,end\nloft,3,4\nloft,4,5"]
    for chained in (True, False):
        tables, calendar = [table_of(text, {}, "[)") for text in texts], Calendar()
        given: list[Any] = [chain(*tables)] if chained else tables
        assert [type(row) for rows in given for row in fill(calendar, rows, name_by_line=True)] == [Row] * 4
        assert [event.id for event in calendar.bookings()] == ["line 2", "line 3", 3, 4]


@pytest.mark.usefixtures("few")
def test_rows_before_an_error_of_the_file_are_booked_and_reported() -> None:
    """As the file is read, and then the error comes."""
    class Breaking(io.BytesIO):
        """Breaks off after so many bytes."""

        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > 100_000:
                raise OSError("the wire was cut")
            return super().read(size)

    text = "resource,start,end\n" + "".join(f"room,{n},{n + 1}\n" for n in range(20_000))
    calendar, seen = Calendar(), list[Row | BadRow]()
    with read_csv(Breaking(text.encode())) as table, pytest.raises(TableError, match="the wire was cut"):
        for row in fill(calendar, table):
            seen.append(row)
    assert len(calendar) == len(seen) > 5000


@pytest.mark.usefixtures("few")
def test_events_of_a_class_of_ones_own_are_of_that_class() -> None:
    """They are made one by one."""
    class Stay(BookingEvent):
        """A stay."""

    calendar = Calendar(event_type=Stay)
    with table_of("resource,start,end\nloft,1,2\nloft,2,3\nloft,2,4", {}, "[)") as table:
        assert [type(row) for row in fill(calendar, table)] == [Row, Row, BadRow]
    assert {type(event) for event in calendar.bookings()} == {Stay} and calendar.event_type is Stay


@pytest.mark.usefixtures("few")
def test_calendar_may_change_between_rows() -> None:
    """What was in the way of a row is what was when it was booked."""
    calendar = Calendar()
    lines = [f"loft,{n},{n + (1 if n != 5 else 4)},b{n}" for n in range(30)]

    def told() -> Iterator[str]:
        with table_of("\n".join(["resource,start,end,id", *lines]), {}, "[)") as table:
            for row in fill(calendar, table):
                if isinstance(row, BadRow):
                    yield str(row)
                    if "b5" in [event.id for event in calendar.bookings()]:
                        calendar.remove_booking("b5")

    expected = [f"line {n + 2}: overlap: 'loft' {n} to {n + 1} is taken by 'b5' (5 to 9)" for n in (6, 7, 8)]
    assert list(told()) == expected


@pytest.mark.usefixtures("few")
def test_calendar_that_cannot_book_raises_at_the_rows() -> None:
    """An error that is not of a row is raised, whether rows are booked at once or one by one."""
    class Failing(MemoryStore):
        """Fails at each change."""

        def put(self, *row: Any) -> None:
            raise OSError("full")

        def load(self, *columns: Any) -> bool:
            raise OSError("full")

    text = "resource,start,end,id\nloft,1,2,a\nloft,2,3,b"
    for whole in (True, False):
        with table_of(text, {}, "[)") as table, pytest.raises(StoreError, match="full"):
            list(fill(Calendar(Failing()), table if whole else list(table)))


def test_progress_of_a_long_table_is_shown_on_a_terminal(run: Any, tmp_path: Path) -> None:
    """While it is read, before the first of its rows is booked; the answer is the same without a terminal."""
    path = tmp_path / "long.csv"
    path.write_text("resource,start,end\n" + "".join(f"room,{n},{n + 1 + (n % 500 == 0)}\n" for n in range(3000)))
    shown, plain = run("load", path, terminal=True), run("load", path)
    assert "Loading" in shown.stderr and "Loading" not in plain.stderr
    assert shown.exit_code == plain.exit_code == 0
    assert "line 3: overlap: 'room' 1 to 2 is taken by 'line 2' (0 to 2)" in plain.stderr
