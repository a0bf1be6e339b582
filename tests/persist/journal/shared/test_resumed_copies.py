"""A copy into PostgreSQL that was cut off: nothing is there to be opened, and the same call goes on with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import settings

from bookcore import Calendar, Resource, copy_calendar
from bookcore.hours import Hours
from bookcore.persist.journal.errors import JournalError, UnknownOutcomeError
from bookcore.persist.shared import projection

psycopg = pytest.importorskip("psycopg", reason="psycopg, of the extra postgres, is not installed")
databases: Any = pytest.importorskip("bookcore.persist.shared.databases")
pgconnection: Any = pytest.importorskip("bookcore.persist.shared.pgconnection")
pgcopying: Any = pytest.importorskip("bookcore.persist.shared.pgcopying")

UNFINISHED = "there is a copy in it that is being made, or was cut off: `bookcore copy` to it again goes on with it"


class CutOff(BaseException):
    """What ends a call amidst its statements."""


class Counted:
    """The statements of one call: the one with a number is not executed, and the call ends there; and the rows it writes."""

    def __init__(self, at: int = 0) -> None:
        self.at, self.statements, self.rows = at, 0, 0

    def execute(self, plain: Callable[..., Any], connection: Any, query: Any, *values: Any, **options: Any) -> Any:
        """Execute a statement."""
        self.statements += 1
        if self.statements == self.at:
            raise CutOff
        return plain(connection, query, *values, **options)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Counted]:
    """Return a function that counts the statements of the calls which follow, and the rows of the tables."""
    plain, commands_of, current = psycopg.Connection.execute, projection.commands_of, Counted()

    def count(at: int = 0) -> Counted:
        nonlocal current
        current = Counted(at)
        return current

    def rows_counted(groups: Any, *more: Any) -> Any:
        def passing() -> Iterator[Any]:
            for group in groups:
                current.rows += len(group.rows) if group.statement in projection.NEW_ROWS else 0
                yield group

        return commands_of(passing(), *more)

    def execute(*given: Any, **options: Any) -> Any:
        return current.execute(plain, *given, **options)

    monkeypatch.setattr(pgconnection.Connection, "execute", execute)
    monkeypatch.setattr(pgcopying, "commands_of", rows_counted)
    return count


@pytest.fixture
def in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the tables written in as many pieces as otherwise those of a large calendar."""
    monkeypatch.setattr(projection, "AT_ONCE", 5)
    monkeypatch.setattr(projection, "MOST", 500)


@pytest.fixture
def source(tmp_path: Path, world: SimpleNamespace) -> Iterator[Any]:
    """Return a calendar in a directory after every kind of change, which is open, and its path."""
    clock, key = world.Clock(), world.families["datetime"]
    clock.now = key(0)
    with Calendar.open(tmp_path / "rooms", clock=clock, types=world.TYPES) as calendar:
        for _ in world.history(calendar, clock, key):
            pass
        crowded = calendar.add_resource(Resource("crowded", capacity=2))
        for _ in range(2):
            calendar.book(crowded, key(1), key(2))
        calendar.set_capacity(crowded, 1)
        calendar.set_hours("room", Hours({"mon-sun": "09:00-17:00"}))
        yield SimpleNamespace(path=str(tmp_path / "rooms"), calendar=calendar, key=key)


@pytest.fixture
def place(divided: str) -> Callable[[bool], str]:
    """Return a function that names a new place, in partitions or in one piece."""
    numbers = iter(range(1000))

    def new(in_partitions: bool) -> str:
        address = divided.replace("calendar=", f"calendar=copy-{next(numbers)}-")
        return address if in_partitions else address.replace("&partitions=4", "")

    return new


def name_of(place: str) -> str:
    """Return the name of a calendar."""
    return place.partition("calendar=")[2].partition("&")[0]


def asked(place: str, command: str, *values: Any) -> list[Any]:
    """Return the rows that a command gives in the database of a place."""
    with psycopg.connect(place.partition("calendar=")[0].rstrip("&?"), autocommit=True) as connection:
        cursor = connection.execute(command, values)
        return cursor.fetchall() if cursor.description else []


def tables(place: str) -> list[list[str]]:
    """Return the rows of the tables of a calendar, and of its partitions, without its name."""
    name = name_of(place)
    ask = "SELECT replace(t::text, %s, '') FROM bookcore.{} t WHERE calendar = %s OR starts_with(calendar, %s) ORDER BY 1"
    return [[row for (row,) in asked(place, ask.format(table), name, name, f"{name}/")] for table in projection.COLUMNS]


def is_unfinished(place: str, world: SimpleNamespace) -> bool:
    """Tell whether there is an unfinished copy, which is not opened; False if there is nothing at all."""
    ask = "SELECT count(*) FROM bookcore.calendar WHERE name = %s"
    if not asked(place, ask, name_of(place))[0][0]:
        return False
    with pytest.raises(JournalError, match=UNFINISHED):
        Calendar.open(place, types=world.TYPES)
    return True


def cut_off(source: str, place: str, rows: int = 30) -> None:
    """Copy, and cut the copy off when it has written about so many rows."""

    def progress(what: str, done: int, total: int) -> None:
        if what == "writing" and rows < done < total:
            raise CutOff

    with pytest.raises(CutOff):
        copy_calendar(source, place, progress=progress)


@pytest.mark.parametrize("in_partitions", [False, True])
@pytest.mark.usefixtures("in_pieces")
def test_a_copy_that_was_cut_off_at_any_statement_is_gone_on_with(
    in_partitions: bool, place: Callable[[bool], str], source: Any, world: SimpleNamespace, counted: Callable[..., Counted]
) -> None:
    """Nothing opens what is there before its end; the second call writes the rows that were missing, and no others."""
    copy_calendar(source.path, place(in_partitions))  # makes the schema
    whole, target, resumed = counted(), place(in_partitions), set[int]()
    copied = copy_calendar(source.path, target)
    assert databases.check(target).is_whole
    expected = tables(target)
    assert whole.rows == sum(map(len, expected))
    step = 1 if settings().max_examples > 100 else whole.statements // 8
    for at in range(whole.statements, 0, -step):
        target = place(in_partitions)
        counted(at)
        with pytest.raises(CutOff):
            copy_calendar(source.path, target)
        counted()
        unfinished = is_unfinished(target, world)
        second = counted()
        again = copy_calendar(source.path, target)
        assert (again.digest, again.position) == (copied.digest, copied.position)
        assert second.rows + again.resumed == whole.rows
        assert unfinished or not again.resumed
        resumed.add(again.resumed)
        assert tables(target) == expected
        assert databases.check(target).is_whole
    assert max(resumed) == whole.rows
    assert len(resumed) >= 3
    with Calendar.open(target, types=world.TYPES, clock=None) as calendar:
        calendar.book("other", source.key(900), source.key(901))
        calendar.check()
    assert databases.check(target).is_whole


@pytest.mark.usefixtures("in_pieces")
def test_what_is_unfinished_is_no_calendar_to_any_call(
    place: Callable[[bool], str], source: Any, world: SimpleNamespace
) -> None:
    """They name it, and the way out; other calendars of the database are there as always."""
    for in_partitions in (False, True):
        target, other = place(in_partitions), place(in_partitions)
        copy_calendar(source.path, other)
        cut_off(source.path, target)
        for call in (
            lambda at: Calendar.open(at, types=world.TYPES), lambda at: Calendar.open(at, types=world.TYPES, create=False),
            lambda at: Calendar.open(at, types=world.TYPES, as_of="now"), databases.check, databases.rebuild,
            databases.upgrade, databases.init, lambda at: copy_calendar(at, place(False)),
        ):  # fmt: skip
            with pytest.raises(JournalError, match=UNFINISHED):
                call(target)
        assert not databases.is_there(target)
        assert databases.check(other).is_whole
    with pytest.raises(JournalError, match="there is no calendar 'none'") as refused:
        Calendar.open(place(False).partition("calendar=")[0] + "calendar=none", create=False)
    assert name_of(target) not in str(refused.value)


@pytest.mark.parametrize("in_partitions", [False, True])
@pytest.mark.usefixtures("in_pieces")
def test_a_copy_of_a_source_that_has_changed_meanwhile_begins_anew(
    in_partitions: bool, place: Callable[[bool], str], source: Any, counted: Callable[..., Counted]
) -> None:
    """What is asked for is the present state; what was written of another one goes. That of then can be asked for."""
    target, then, calendar = place(in_partitions), place(in_partitions), source.calendar
    position, digest = calendar.position, calendar.digest()
    cut_off(source.path, target)
    cut_off(source.path, then)
    calendar.remove_booking("named")
    for room in ("boat", "crowded"):
        for event in list(calendar.bookings(room)):
            calendar.remove_booking(event)
        for closure in calendar.closures_of(room):
            calendar.reopen(closure)
        calendar.remove_resource(room)
    calendar.book("other", source.key(900), source.key(901))
    second = counted()
    copied = copy_calendar(source.path, target)
    assert (copied.digest, copied.position, copied.resumed) == (calendar.digest(), calendar.position, 0)
    assert second.rows == len(calendar) + len(calendar.resources) + len(list(calendar.closures()))
    assert databases.check(target).is_whole
    resources, bookings, _ = tables(target)
    assert len(bookings) == len(calendar)
    assert len(resources) == len(calendar.resources) + 2  # those two are not active
    copied = copy_calendar(source.path, then, as_of=position)
    assert (copied.digest, copied.position) == (digest, position)
    assert copied.resumed > 20
    assert databases.check(then).is_whole


class Boat(Resource):
    """A class that one source has, and another has not."""


@pytest.mark.usefixtures("in_pieces")
def test_a_copy_of_a_source_with_other_classes_begins_anew(place: Callable[[bool], str], tmp_path: Path) -> None:
    """What was written of the other one need not be read for that."""
    for path, cls in ("boats", Boat), ("rooms", Resource):
        with Calendar.open(tmp_path / path, types=[cls]) as calendar:
            for number in range(60):
                calendar.add_resource(cls(number))
    target = place(False)
    cut_off(str(tmp_path / "boats"), target)
    assert copy_calendar(tmp_path / "rooms", target, types=[]).resources == 60
    assert databases.check(target).is_whole


@pytest.mark.usefixtures("in_pieces")
def test_a_copy_with_other_tables_or_in_other_partitions_is_not_gone_on_with(
    place: Callable[[bool], str], source: Any
) -> None:
    """Without tables it begins anew; a number of partitions stays what it is."""
    target, divided = place(False), place(True)
    cut_off(source.path, target)
    assert copy_calendar(source.path, f"{target}&tables=no").resumed == 0
    assert not databases.check(target).has_tables
    assert sum(map(len, tables(target)[1:])) == 0
    databases.upgrade(target)
    assert databases.check(target).is_whole
    cut_off(source.path, divided)
    for other in (divided.replace("=4", "=2"), divided.replace("&partitions=4", "")):
        with pytest.raises(JournalError, match="divided into 4 partitions"):
            copy_calendar(source.path, other)
    assert copy_calendar(source.path, divided).resumed > 20


@pytest.mark.usefixtures("in_pieces")
def test_tables_that_another_program_has_changed_are_found_and_written_anew(
    place: Callable[[bool], str], source: Any
) -> None:
    """While a copy of them is unfinished: nothing is made of it, and the next call begins anew."""
    lost = """DELETE FROM bookcore.booking
              WHERE calendar = %s AND id = (SELECT min(id) FROM bookcore.booking WHERE calendar = %s)"""
    made = """INSERT INTO bookcore.closure (calendar, id, resource, reason, active)
              SELECT %s, 77, id, 'painting', true FROM bookcore.resource WHERE calendar = %s LIMIT 1"""
    for command, reason in ((lost, "violates not-null"), (made, "resources, bookings and closures, where")):
        target = place(False)
        cut_off(source.path, target, 50)
        asked(target, command, name_of(target), name_of(target))
        with pytest.raises(JournalError, match=reason):
            copy_calendar(source.path, target)
        copied = copy_calendar(source.path, target)
        assert (copied.digest, copied.resumed) == (source.calendar.digest(), 0)
        assert databases.check(target).is_whole


def test_two_copies_to_one_place_are_kept_apart(place: Callable[[bool], str], source: Any) -> None:
    """While one is being made, another one is refused and leaves it alone."""
    for in_partitions in (False, True):
        target, refused = place(in_partitions), list[str]()

        def progress(what: str, done: int, *_: int, target: str = target, refused: list[str] = refused) -> None:
            if what == "writing" and done and not refused:
                with pytest.raises(JournalError, match="another copy to this place is being made") as caught:
                    copy_calendar(source.path, target)
                refused.append(str(caught.value))

        assert copy_calendar(source.path, target, progress=progress).digest
        assert refused
        assert databases.check(target).is_whole


@pytest.mark.parametrize("in_partitions", [False, True])
@pytest.mark.parametrize(
    "when", ["before the commit", "after it", "after it, and the server is gone", "after it, and another one is there"]
)
def test_a_connection_that_breaks_at_the_last_commit_is_looked_after(
    when: str, in_partitions: bool, place: Callable[[bool], str], source: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the copy is there, all is well; if that is not known, the error says so, and the same call tells or finishes it."""
    target, finishing = place(in_partitions), list[Any]()
    name = name_of(target)
    other = "UPDATE bookcore.calendar SET origin = origin # 1 WHERE name = %s OR starts_with(name, %s)", name, f"{name}/"

    def finish(connection: Any, *rest: Any) -> None:
        finishing.append(connection)
        plain(connection, *rest)

    def execute(connection: Any, query: Any, values: Any = None, **options: Any) -> Any:
        if connection not in finishing or query != pgcopying._SET:
            return psycopg.Connection.execute(connection, query, values, **options)
        if when != "before the commit":
            psycopg.Connection.execute(connection, query, values)
        asked(target, "SELECT pg_terminate_backend(%s, 20000)", connection.info.backend_pid)
        return psycopg.Connection.execute(connection, query, values)

    def connected(*given: Any) -> Any:
        if finishing and "gone" in when:
            raise psycopg.OperationalError("connection refused")
        if finishing and "another" in when:  # of the same name: its origin has another mark
            asked(target, *other)
        return pgconnection.connected(*given)

    plain = pgcopying._finish
    with monkeypatch.context() as patch:
        patch.setattr(pgconnection.Connection, "execute", execute)
        patch.setattr(pgcopying, "_finish", finish)
        patch.setattr(pgcopying, "connected", connected)
        if when == "after it":
            assert copy_calendar(source.path, target).digest
        else:
            with pytest.raises(UnknownOutcomeError, match="if it is there, it is whole: copy again, which tells"):
                copy_calendar(source.path, target)
    if "another" in when:
        asked(target, *other)
    if when == "before the commit":
        assert copy_calendar(source.path, target).resumed == sum(map(len, tables(target)))
    else:
        with pytest.raises(JournalError, match=r"already|holds a calendar"):
            copy_calendar(source.path, target)
    assert databases.check(target).is_whole


@pytest.mark.usefixtures("in_pieces")
def test_a_connection_that_breaks_before_leaves_what_was_written(
    place: Callable[[bool], str], source: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what happened, and the same call goes on."""
    target, connections = place(False), list[Any]()

    def connected(*given: Any) -> Any:
        connections.append(pgconnection.connected(*given))
        return connections[-1]

    def progress(what: str, done: int, total: int) -> None:
        if what == "writing" and 30 < done < total:
            asked(target, "SELECT pg_terminate_backend(%s, 20000)", connections[-1].info.backend_pid)

    monkeypatch.setattr(pgcopying, "connected", connected)
    with pytest.raises(JournalError, match=r"cannot be written: .*connection"):
        copy_calendar(source.path, target, progress=progress)
    assert copy_calendar(source.path, target).resumed > 20
    assert databases.check(target).is_whole
