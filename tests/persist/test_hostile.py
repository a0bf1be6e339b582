"""Forged files with a right digest: memory and time in proportion to the file, whichever column is hostile."""

from __future__ import annotations

import math
import os
import re
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import pytest

from bookcore import BookingEvent, Calendar, Resource
from bookcore.engine import registry
from bookcore.hours.opening_hours import Hours
from bookcore.index.bitmap import from_ordinals
from bookcore.model.errors import InvalidKeyError, KeyTypeError, QueryError, SnapshotError
from bookcore.persist.codec import budget as module
from bookcore.persist.codec.blob import Unreadable, Unwritable, width_for
from bookcore.persist.codec.budget import Budget
from bookcore.persist.codec.columns import KeyColumn, decode_column, encode_column
from bookcore.persist.errors import SnapshotDamagedError
from bookcore.persist.fs import FileSystem
from bookcore.persist.snapshot import Facts, Limits
from bookcore.persist.snapshot.format import write_file
from bookcore.persist.snapshot.state import (
    Bookings,
    Closures,
    Expired,
    Holds,
    Resources,
    Rules,
    State,
    Tags,
    decode_state,
    encode_state,
)

# -- the generator: columns that describe much in few bytes, in the place of each column of a sound file ---

Section = tuple[bytes, ...]
MODULUS = (1 << 61) - 1
"""Ints that differ by a multiple of it have one hash."""


def sound_state(rows: int) -> State:
    """Return a state with as many rows in every section."""
    places, numbers, spans = list(range(rows)), list(range(1, rows + 1)), KeyColumn([*range(rows), *range(1, rows + 1)])
    hours = Hours({"mon": "09:00-17:00"}).to_plain()
    return State(
        "[)", [":Resource", ":BookingEvent"], 1, 2 * rows, rows,
        Resources(numbers, [0] * rows, [1] * rows, [None] * rows, [None] * rows, [None] * rows),
        Tags(numbers, [[place] for place in places]),
        Rules([dict(hours) for _ in places], [[place] for place in places]),
        Bookings(numbers, [1] * rows, [0] * rows, spans, [1] * rows, [None] * rows),
        Holds(places, numbers),
        Expired([f"x{place}" for place in places], numbers),
        Closures(numbers, [0] * rows, spans, [""] * rows, [[place] for place in places]),
        Bookings(numbers, [1] * rows, [0] * rows, spans, [1] * rows, [None] * rows),
    )  # fmt: skip


def table(distinct: Sequence[Any], rows: int) -> bytes:
    """Return a column of so many rows that share these values in turn, all of one type."""
    places = struct.pack(f"<{rows}{width_for(len(distinct))}", *(row % len(distinct) for row in range(rows)))
    # the values are a column of their own, behind its number of rows
    return struct.pack("<QBQ", rows, 0xF2, len(distinct)) + places + encode_column(list(distinct))[8:]


def nested(levels: int, rows: int, family: int) -> bytes:
    """Return a column of containers with one element each, which is a container with one element ..., and then None."""
    names = b"\x06\0" + struct.pack("<Q", 1) + b"a" if family == 22 else b""
    shell = (
        bytes((family, 1, 1)) + names
        if family in (20, 22)
        else bytes((family,)) + struct.pack(f"<{rows}I", *[1] * rows)  # by lengths: a byte would be too little
    )
    return struct.pack("<Q", rows) + shell * levels + b"\x02" + bytes(rows)


def bombs(rows: int) -> dict[str, Callable[[], bytes]]:
    """Return hostile columns of so many rows, by name."""
    long = range(rows)
    return {
        "nested dicts": lambda: nested(31, rows, 22),
        "nested tuples": lambda: nested(31, rows, 20),
        "nested lists": lambda: nested(31, rows, 21),
        "shared list": lambda: table([list(long)], rows),
        "shared lists": lambda: table([list(long), list(long)[1:]], rows),
        "shared dict": lambda: table([{f"n{i}": None for i in long}], rows),
        "shared dict in a dict": lambda: table([{"a": {f"n{i}": None for i in long}}], rows),
        "shared set": lambda: table([set(long)], rows),
        "shared rule": lambda: table([{**Hours({"mon": "09:00-17:00"}).to_plain(), "exceptions": exceptions(rows)}], rows),
        "shared tuples": lambda: table([(0,) * rows + (i,) for i in range(3)], rows),
        "shared texts": lambda: table(["x" * 8 * rows + str(i) for i in range(3)], rows),
        "shared large ints": lambda: table([(1 << 64 * rows) + i for i in range(3)], rows),
        "ints of one hash": lambda: encode_column([i * MODULUS for i in range(1, rows + 1)]),
        "tuples of one hash": lambda: encode_column([(i * MODULUS, "x") for i in range(1, rows + 1)]),
        "sets of one hash": lambda: encode_column([frozenset((i * MODULUS,)) for i in range(1, rows + 1)]),
        "a set of values of one hash": lambda: encode_column(
            [{i * MODULUS for i in range(1, rows + 1)}] + [set[int]()] * (rows - 1)
        ),
        "a dict of keys of one hash": lambda: encode_column(
            [{"a": {i * MODULUS: None for i in range(1, rows + 1)}}] + [dict[str, Any]()] * (rows - 1)
        ),
        "no rows": lambda: struct.pack("<Q", rows) + b"\xf0",
        "more rows than bytes": lambda: struct.pack("<QB", 1 << 40, 0xF2),
    }


def exceptions(count: int) -> tuple[tuple[str, tuple[()]], ...]:
    """Return so many exceptions of opening hours."""
    return tuple((f"{1000 + i // 336}-{1 + i // 28 % 12:02}-{1 + i % 28:02}", ()) for i in range(count))


def forged(rows: int, bomb: str) -> Iterator[tuple[str, list[Section]]]:
    """Yield a name and sections for a hostile column in the place of each column."""
    sections = encode_state(sound_state(rows))
    column, twice = (bombs(count)[bomb]() for count in (rows, 2 * rows))
    for at, section in enumerate(sections[1:], 1):
        for place in range(1, len(section)):
            is_twice = len(section) > 3 and section[place][:8] == struct.pack("<Q", 2 * rows)
            changed = list(sections)
            changed[at] = (*section[:place], twice if is_twice else column, *section[place + 1 :])
            yield f"{section[0][8:].rstrip(bytes(1)).decode()} {place}", changed


# -- what they do ----------------------------------------------------------------------------------

ROWS = 20
BASE, A_BYTE = 40 << 20, 1000
"""What may be used of memory: about 250 bytes for each of the values that a file may describe, and the calendar itself."""


def write(path: Path, state: State, sections: list[tuple[bytes, ...]] | None = None) -> int:
    """Write a file of *sections* that says the rest of itself as *state* does."""
    facts = Facts(last_sequence=state.last_sequence, rows=len(state.bookings.ids))
    return write_file(path, facts, encode_state(state) if sections is None else sections)


def restored(path: Path, **options: Any) -> Any:
    """Return the calendar in a file, or the error; and the most memory that was used."""
    tracemalloc.start()
    try:
        found: Any = Calendar.restore(path, **{"clock": None, **options})
    except SnapshotError as exc:
        found = exc
    finally:
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return found, most


def test_sound_file_of_every_section_opens(tmp_path: Path) -> None:
    """Else the others would be refused for another reason."""
    state = sound_state(ROWS)
    state.released.ids = []
    state.released = type(state.released)()
    write(tmp_path / "a.bks", state)
    calendar = Calendar.restore(tmp_path / "a.bks", clock=None)
    calendar.check()
    assert len(list(calendar.bookings())) == ROWS == len(list(calendar.closures()))


@pytest.mark.parametrize("bomb", sorted(bombs(2)))
def test_hostile_column_in_any_place_takes_memory_in_proportion(tmp_path: Path, bomb: str) -> None:
    """Every column of every section, in turn."""
    state, path = sound_state(ROWS), tmp_path / "a.bks"
    for name, sections in forged(ROWS, bomb):
        size = write(path, state, sections)
        _, most = restored(path)
        assert most < BASE + A_BYTE * size, name


def changed(rows: int, section: str, **columns: bytes) -> list[tuple[bytes, ...]]:
    """Return the sections of a sound state with other bytes in some columns, called c1, c2 ..."""
    found = []
    for each in encode_state(sound_state(rows)):
        if each[0][8:].rstrip(b"\0").decode() == section:
            each = tuple(columns.get(f"c{at}", column) for at, column in enumerate(each))
        found.append(each)
    return found


N = 6000
LARGE: dict[str, Callable[[], list[tuple[bytes, ...]]]] = {
    "members of labels": lambda: changed(N, "tags", c2=bombs(N)["shared list"]()),
    "members of rules": lambda: changed(N, "rules", c2=bombs(N)["shared list"]()),
    "a rule": lambda: changed(N, "rules", c1=bombs(N)["shared rule"]()),
    "lists of closures": lambda: changed(N, "closures", c5=bombs(N)["shared list"]()),
    "fields": lambda: changed(N, "bookings", c6=bombs(N)["shared dict"]()),
    "fields of released": lambda: changed(N, "released", c6=bombs(N)["shared dict"]()),
    "attributes": lambda: changed(N, "resources", c6=bombs(N)["shared dict"]()),
    "ids of resources": lambda: changed(N, "resources", c1=bombs(N)["ints of one hash"]()),
    "ids of bookings": lambda: changed(N, "bookings", c1=bombs(N)["ints of one hash"]()),
    "ids of expired holds": lambda: changed(N, "expired", c1=bombs(N)["ints of one hash"]()),
    "labels": lambda: changed(N, "tags", c1=bombs(N)["sets of one hash"]()),
    "capacities": lambda: changed(N, "resources", c3=b"V" + bombs(N)["ints of one hash"]()),
    "names in fields": lambda: changed(N, "bookings", c6=bombs(N)["a dict of keys of one hash"]()),
    "sets in attributes": lambda: changed(N, "resources", c6=bombs(N)["a set of values of one hash"]()),
    "long keys": lambda: changed(N, "bookings", c4=bombs(2 * N)["shared tuples"]()),
    "long texts as keys": lambda: changed(N, "closures", c3=table(["x" * (1 << 20), "y" * (1 << 20)], 2 * N)),
    "large ints as ids": lambda: changed(N, "bookings", c1=table([1 << (1 << 22), 1 << (1 << 22) + 1], N)),
}


@pytest.mark.parametrize("name", sorted(LARGE))
def test_file_that_describes_too_much_is_refused_by_name(name: str) -> None:
    """Told are the column, the limit and the way out; it is told before the work is done."""
    with pytest.raises(Unreadable, match=r"column \d: it describes more than \d+ values|^it describes more than") as caught:
        decode_state(LARGE[name]())
    assert "max_ratio" in str(caught.value)


@pytest.mark.parametrize("bomb", ["nested dicts", "nested tuples"])
def test_containers_in_containers_are_counted_before_they_are_made(bomb: str) -> None:
    """A level takes a few bytes, and so many containers as there are rows."""
    data = bombs(4 * N)[bomb]()
    for budget in (None, Budget(len(data)), Budget(0)):
        with pytest.raises(Unreadable, match="describes more"):
            decode_column(data, 4 * N, budget)
    assert len(decode_column(data, 4 * N, Budget(len(data), 40))) == 4 * N


def distinct(column: str, places: Sequence[int]) -> list[Section]:
    """Return the sections of a state with a distinct capacity, buffer, label or rule at each of these places."""
    rows = len(places)
    state = State(classes=[":BookingEvent", ":Resource"])
    nothing = [[None] * rows for _ in range(3)]
    state.resources = Resources(list(range(rows)), bytes((1,)) * rows, [1] * rows, *nothing)
    if column == "tags":
        state.tags = Tags([f"label {number}" for number in range(rows)], [[place] for place in places])
    elif column == "rules":
        state.rules = Rules([{"rule": number} for number in range(rows)], [[place] for place in places])
    else:
        setattr(state.resources, column, [place + 1 for place in places])
    return encode_state(state)


BITMAPS = {"capacities": 30_000, "before": 30_000, "after": 30_000, "tags": 70_000, "rules": 15_000}


@pytest.mark.parametrize("order", ["forwards", "backwards", "mixed"])
@pytest.mark.parametrize("column", BITMAPS)
def test_many_distinct_capacities_buffers_labels_and_rules_are_allowed(column: str, order: str) -> None:
    """A calendar of many kinds of resources is an honest one. A bitmap is charged as far as it goes."""
    rows = BITMAPS[column]
    places = [place * 7919 % rows for place in range(rows)] if order == "mixed" else list(range(rows))
    state = decode_state(distinct(column, places[::-1] if order == "backwards" else places))
    assert len(state.resources.ids) == rows


@pytest.mark.parametrize(("column", "rows"), [("capacities", 17), ("before", 17), ("after", 17), ("tags", 18)])
def test_bitmaps_out_of_proportion_are_counted(column: str, rows: int) -> None:
    """A calendar keeps a bitmap of resources for each of them, which take a thousand times the memory of the file."""
    with pytest.raises(Unreadable, match="describes more"):
        decode_state(distinct(column, range(1 << rows)))


@pytest.mark.parametrize("column", ["capacities", "before", "tags"])
def test_bitmaps_are_made_as_long_as_they_were_charged(
    column: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bitmap of the first resource takes no time for those behind it."""
    rows, sizes = 2000, []

    def counted(numbers: Any, size: int) -> int:
        sizes.append(size)
        return from_ordinals(numbers, size)

    places = [0] * rows if column == "tags" else range(rows)
    state = decode_state(distinct(column, places))
    write(tmp_path / "a.bks", state)
    monkeypatch.setattr(registry, "from_ordinals", counted)
    calendar = Calendar.restore(tmp_path / "a.bks")
    calendar.check()
    most = 5 * rows if column == "tags" else rows * (rows + 9) // 2
    assert sum(sizes) <= most


@pytest.mark.parametrize("column", ["before", "after"])
def test_buffers_of_one_hash_are_counted(column: str) -> None:
    """As capacities are: a calendar keeps them in a dict."""
    rows = 6000
    with pytest.raises(Unreadable, match="describes more"):
        decode_state(distinct(column, [MODULUS * place for place in range(1, rows + 1)]))


REPEATED: dict[str, list[Any]] = {
    "floats": [place / 7 for place in range(500)],
    "tuples": [(place // 100, place % 100) for place in range(500)],
    "fractions": [Fraction(place, 7) for place in range(500)],
    "decimals": [Decimal(place) / 4 for place in range(500)],
    "large ints": [(1 << 70) + place for place in range(500)],
    "ints and texts": [*range(250), *map(str, range(250))],
    "lengths": [timedelta(place) for place in range(500)],
}


@pytest.mark.parametrize("name", REPEATED)
def test_values_that_repeat_are_not_looked_at_one_by_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of an honest calendar repeat, and few of them have one hash: none is weighed."""
    weighed: list[Any] = []
    monkeypatch.setattr(module, "_weight", weighed.append)
    budget = Budget(0)
    budget.charge_hashes(REPEATED[name] * 20)
    assert budget.left == budget.limit
    assert not weighed


@pytest.mark.parametrize("repeated", [1, 3])
@pytest.mark.parametrize("make", [int, Fraction, Decimal, lambda number: (number, "x"), lambda number: frozenset((number,))])
def test_values_of_one_hash_are_charged_among_others(make: Any, repeated: int) -> None:
    """However often they are there, and wherever."""
    alike = [make(place * MODULUS) for place in range(1, 1500)] * repeated
    for values in ([*alike, 0.5], [*map(str, range(1500)), *alike], [*alike, *[alike[0]] * 5000]):
        with pytest.raises(Unreadable, match="describes more"):
            Budget(0).charge_hashes(values)


def test_ratio_is_raised_for_a_file_that_is_trusted(tmp_path: Path) -> None:
    """The way out that the error names."""
    rows, path = 3000, tmp_path / "a.bks"
    state = sound_state(rows)
    state.closures, state.released = type(state.closures)(), type(state.released)()
    state.bookings.kinds = bytes([1]) * rows
    sections = encode_state(state)
    head, *columns = sections[4]
    sections[4] = (head, *columns[:5], table([{f"n{i}": 1 for i in range(200)}], rows))
    write(path, state, sections)
    with pytest.raises(SnapshotDamagedError, match=r"limits=Limits\(max_ratio=...\).*Calendar\.restore"):
        Calendar.restore(path)
    calendar = Calendar.restore(path, limits=Limits(max_ratio=100), clock=None)
    assert len(next(iter(calendar.bookings())).fields) == 200


def test_size_is_raised_for_a_file_that_is_trusted(tmp_path: Path) -> None:
    """Both of writing and of reading, and the errors say how."""
    path, calendar = tmp_path / "a.bks", Calendar()
    calendar.add_resource(Resource("a"))
    way_out = r"limits=Limits\(max_bytes=...\).*Calendar\.restore"
    with pytest.raises(SnapshotError, match=way_out):
        calendar.snapshot(path, limits=Limits(max_bytes=100))
    assert not path.exists()
    size = calendar.snapshot(path, limits=Limits(max_bytes=1 << 40))
    with pytest.raises(SnapshotError, match=way_out):
        Calendar.restore(path, limits=Limits(max_bytes=size - 1))
    assert Calendar.restore(path, limits=Limits(max_bytes=size)).resources.ids() == ["a"]


@pytest.mark.parametrize("limits", [0, 5, "1 GiB", (1, 2), Limits, {"max_ratio": 5}, True, b""])
def test_limits_that_are_none_are_refused(tmp_path: Path, limits: Any) -> None:
    """Before anything is written or read."""
    path = tmp_path / "a.bks"
    with pytest.raises(SnapshotError, match="limits are Limits"):
        Calendar().snapshot(path, limits=limits)
    assert not path.exists()
    Calendar().snapshot(path)
    with pytest.raises(SnapshotError, match="limits are Limits"):
        Calendar.restore(path, limits=limits)


@pytest.mark.parametrize("name", ["max_bytes", "max_ratio"])
@pytest.mark.parametrize("limit", [-1, 1.5, "5", None, True, math.inf])
def test_limit_that_is_no_whole_number_is_refused(name: str, limit: Any) -> None:
    """It would be met when a file is read, as an error that is not ours."""
    with pytest.raises(QueryError, match=f"{name} is a whole number"):
        Limits(**{name: limit})


SHARED: dict[str, Callable[[], list[Any]]] = {
    "tuples": lambda: [(2026, 11, 28, 9, 0)] * 50_000 + [(2026, 11, 28, 10, 0)] * 50_000,
    "dict": lambda: [{"guest": "Ada", "paid": True}] * 50_000,
    "dicts": lambda: [{"guest": {"name": {"first": "Ada", "last": None}}} for _ in range(50_000)],
    "texts": lambda: ["a reason that many closures share, with some words in it" * 10] * 50_000,
    "lists": lambda: [[1, 2, 3] for _ in range(50_000)],
    "ints": lambda: [1 << 100, 1 << 101] * 50_000,
    "many tuples": lambda: [(i, str(i)) for i in range(50_000)],
}


@pytest.mark.parametrize("name", SHARED)
def test_honest_sharing_is_allowed_and_comes_back_shared(name: str) -> None:
    """What many rows share is one object, in the file and in memory; nine more bytes of a booking pay for it."""
    values = SHARED[name]()
    data = encode_column(values)
    found = decode_column(data, len(values), Budget(len(data) + 9 * len(values)))
    assert found == values
    assert len(set(map(id, found))) <= len(set(map(id, values)))


@pytest.mark.parametrize("number", [(1 << 63) - 1, 1 << 63, (1 << 62) + 1, 1 << 64, 1 << 100])
@pytest.mark.parametrize("which", ["last_sequence", "last_closure"])
def test_number_that_leaves_no_room_is_refused(number: int, which: str) -> None:
    """The next bookings, and their snapshots, would fail."""
    state = sound_state(2)
    setattr(state, which, number)
    with pytest.raises(Unwritable, match="2\\*\\*62"):
        encode_state(state)
    sections = encode_state(sound_state(2))
    facts = ("[)", [":Resource", ":BookingEvent"], 1, 4, 2)
    place = 3 if which == "last_sequence" else 4
    sections[0] = (sections[0][0], encode_column([(*facts[:place], number, *facts[place + 1 :])]))
    with pytest.raises(Unreadable, match="out of range"):
        decode_state(sections)


def test_last_number_that_is_allowed_leaves_a_calendar_that_books(tmp_path: Path) -> None:
    """And closes; but it is told when it is written again."""
    state = sound_state(0)
    state.resources = sound_state(1).resources
    state.last_sequence = state.last_closure = 1 << 62
    write(tmp_path / "a.bks", state)
    calendar = Calendar.restore(tmp_path / "a.bks")
    assert calendar.book(1, 1, 2).id == (1 << 62) + 1
    assert calendar.close(1, 5, 6).id == (1 << 62) + 1
    calendar.check()
    with pytest.raises(SnapshotError, match="2\\*\\*62"):
        calendar.snapshot(tmp_path / "b.bks")


@pytest.mark.parametrize("clock", [None, lambda: 0])
@pytest.mark.parametrize(
    "until",
    [
        [math.nan, 1], [1, math.nan], [1, "x"], ["x", None, 2], [(1,), 2], [{"a": 1}, {"b": 1}],
        [{1}], [1, 2.5, "x"], [(1, "a"), ("a", 1)], [Decimal("nan")], [date(2026, 1, 1), datetime(2026, 1, 1)],
    ],
)  # fmt: skip
def test_deadline_that_is_none_is_refused(tmp_path: Path, until: list[Any], clock: Any) -> None:
    """By the calendar, with a clock or without: it would be met long after, by a call that has nothing to do with it."""
    write(tmp_path / "a.bks", held_state(until))
    with pytest.raises(SnapshotDamagedError, match=r"not a point|no order|compared") as caught:
        Calendar.restore(tmp_path / "a.bks", clock=clock)
    assert isinstance(caught.value.__cause__, (KeyTypeError, InvalidKeyError))


@pytest.mark.parametrize("clock", [None, lambda: -math.inf])
@pytest.mark.parametrize("until", [[math.inf, 1], [None, 5], [1, 1.5], [-math.inf, None], [10**30, 2]])
def test_deadline_that_is_far_is_taken(tmp_path: Path, until: list[Any], clock: Any) -> None:
    """Infinite is a time like others."""
    write(tmp_path / "a.bks", held_state(until))
    holds = Calendar.restore(tmp_path / "a.bks", clock=clock)._engine.state.holds
    assert list(holds.until.values()) == until


def held_state(until: list[Any]) -> State:
    """Return a state of holds with these deadlines, one after the other on one resource."""
    state = sound_state(len(until))
    state.bookings.keys = KeyColumn([*range(len(until)), *range(1, len(until) + 1)])
    state.holds.until = until
    state.expired = type(state.expired)()
    state.released = type(state.released)()
    state.closures = type(state.closures)()
    return state


class Loud(BookingEvent):
    """Has a setter, which no file may call."""

    called: ClassVar[list[Any]] = []

    @property
    def price(self) -> int:
        return 0

    @price.setter
    def price(self, value: int) -> None:
        self.called.append(value)


@pytest.mark.parametrize("released", [False, True])
@pytest.mark.parametrize("name", ["price", "guest", "status", "fields", "called", "__class__", "_seq"])
def test_no_setter_of_a_class_is_called(tmp_path: Path, name: str, released: bool) -> None:
    """A file is data only."""
    state = sound_state(1)
    state.classes = [":Resource", "Loud"]
    rows = state.released if released else state.bookings
    rows.fields = [{name: 7}]
    state.closures.overlapping = [[1]]
    Loud.called.clear()
    write(tmp_path / "a.bks", state)
    calendar = Calendar.restore(tmp_path / "a.bks", types=[Loud], clock=None)
    ((listed,),) = (closure.overlapping for closure in calendar.closures())
    (event,) = (listed,) if released else calendar.bookings()
    assert not Loud.called
    assert (type(event), event.fields[name]) == (Loud, 7)


def test_ids_and_numbers_that_are_there_twice_are_refused() -> None:
    """Also as ints and floats, which are equal."""
    for ids in ([1, 1], [1, 1.0], [True, 1], [0, -0.0], ["a", "a"], [MODULUS, MODULUS]):
        for section in ("resources", "bookings", "expired", "closures"):
            state = sound_state(2)
            getattr(state, section).ids = ids
            with pytest.raises(Unreadable, match=r"twice|not given"):
                decode_state(encode_state(state))


def test_exceptions_of_the_generator_are_dates() -> None:
    """Else a shared rule would be refused for another reason."""
    assert len(dict(exceptions(N))) == N


# -- the file itself -------------------------------------------------------------------------------


KILLED = """
import os, signal, sys
from bookcore import Calendar
from bookcore.persist.fs import FileSystem
die = lambda *args: os.kill(os.getpid(), signal.SIGKILL)
for step in sys.argv[2:]:
    if not os.fork():
        setattr(FileSystem, step, die)
        Calendar().snapshot(os.path.join(sys.argv[1], step, "a.bks"))
    os.wait()
"""
"""Saves a calendar in a process for each step, in a folder of its name, and lets it be killed there."""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL and flock")
def test_file_of_a_killed_process_is_removed_by_the_next(tmp_path: Path) -> None:
    """Whatever it was doing, once it had written something."""
    steps = ["sync", "replace", "close", "read", "open"]
    for step in steps:
        (tmp_path / step).mkdir()
    subprocess.run([sys.executable, "-c", KILLED, os.fspath(tmp_path), *steps], check=True, cwd=Path(__file__).parents[2])
    for step in steps:
        folder = tmp_path / step
        (left,) = os.listdir(folder)
        assert re.fullmatch(r"\.bookcore-[0-9a-f]{16}\.tmp", left), step
        Calendar().snapshot(folder / "b.bks")
        assert os.listdir(folder) == ["b.bks"], step


@pytest.mark.skipif(sys.platform == "win32", reason="needs flock")
def test_temporary_file_of_a_living_process_stays(tmp_path: Path) -> None:
    """Two may write to one folder at the same time."""

    class Busy(FileSystem):
        def replace(self, source: str, target: str) -> None:
            Calendar().snapshot(tmp_path / "b.bks")
            super().replace(source, target)

    write_file(tmp_path / "a.bks", Facts(), [], fs=Busy())
    assert sorted(os.listdir(tmp_path)) == ["a.bks", "b.bks"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (".bookcore-0123456789abcdef.tmp", b"mine"),
        (".bookcore-0123456789abcdef.tmp", b""),
        (".bookcore-0123456789ABCDEF.tmp", b"\x89BKSN\r\n\x1a"),
        (".bookcore-0123.tmp", b"\x89BKSN\r\n\x1a"),
        ("bookcore-0123456789abcdef.tmp", b"\x89BKSN\r\n\x1a"),
    ],
)
def test_file_that_is_none_of_ours_stays(tmp_path: Path, name: str, content: bytes) -> None:
    """Only the name and the first bytes together say that it is a snapshot which was not finished."""
    (tmp_path / name).write_bytes(content)
    Calendar().snapshot(tmp_path / "a.bks")
    assert (tmp_path / name).read_bytes() == content


@pytest.mark.parametrize("shape", ["file", "missing", "chain", "relative", "folder"])
def test_link_stays_and_its_file_is_replaced(tmp_path: Path, shape: str) -> None:
    """As every program does that writes to a link."""
    real = tmp_path / "real"
    real.mkdir()
    target, link = real / "a.bks", tmp_path / "link"
    if shape != "missing":
        target.write_bytes(b"old")
    if shape == "chain":
        (tmp_path / "between").symlink_to(target)
        link.symlink_to("between")
    elif shape == "folder":
        (tmp_path / "way").symlink_to(real)
        link = tmp_path / "way" / "a.bks"
    else:
        link.symlink_to("real/a.bks" if shape == "relative" else target)
    calendar = Calendar()
    calendar.add_resource(Resource("a"))
    calendar.snapshot(link)
    assert link.is_symlink() is (shape != "folder")
    assert not target.is_symlink()
    assert os.listdir(real) == ["a.bks"]
    assert Calendar.restore(link).resources.ids() == Calendar.restore(target).resources.ids() == ["a"]
