"""Databases made, brought up to date, checked and repaired: `bookcore.persist.shared.databases`."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bookcore import BookingEvent, Calendar, Resource, copy_calendar
from bookcore.persist.journal.errors import (
    JournalDamagedError,
    JournalError,
    JournalVersionError,
    RefereeError,
)
from bookcore.persist.shared.recorder import SharedRecorder
from bookcore.testing.servers import PostgresServer

psycopg = pytest.importorskip("psycopg")
databases: Any = pytest.importorskip("bookcore.persist.shared.databases")

Open = Callable[..., Calendar]
_names = count(1)

BACK_TO_2 = """
ALTER TABLE bookcore.change DROP COLUMN time; ALTER TABLE bookcore.booking DROP CONSTRAINT booking_numbers_excl,
    ADD CONSTRAINT booking_numbers_excl EXCLUDE USING gist (calendar WITH =, resource WITH =, numbers WITH &&)
    WHERE (exclusive AND active AND numbers IS NOT NULL);
UPDATE bookcore.schema SET version = 2; UPDATE bookcore.calendar SET format = 2
"""
"""What makes a database of schema 2 of one of schema 3."""
BACK_TO_1 = """
ALTER TABLE bookcore.change DROP COLUMN time;
DROP TABLE bookcore.booking, bookcore.closure, bookcore.resource, bookcore.schema; DROP TYPE bookcore.keyrange;
ALTER TABLE bookcore.calendar DROP COLUMN tables; UPDATE bookcore.calendar SET format = 1
"""
"""And one of schema 1."""


@pytest.fixture
def address(postgres_server: PostgresServer) -> Iterator[str]:
    """Return the address of a calendar in a database of its own."""
    database = postgres_server.new_database()
    yield f"{database}&calendar=berlin"
    name = database.rpartition("?")[0].rpartition("/")[2]
    postgres_server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def admin(address: str) -> Iterator[Any]:
    """Return a connection as another program has it."""
    with psycopg.connect(address.partition("&")[0], autocommit=True) as connection:
        yield connection


def filled(opened: Open, world: SimpleNamespace) -> Calendar:
    """Return a calendar with every kind of change behind it."""
    clock = world.Clock(0)
    calendar = opened(clock=clock)
    for _ in world.history(calendar, clock, int):
        pass
    calendar.barrier()
    return calendar


def all_rows(admin: Any) -> list[Any]:
    return [admin.execute(f"SELECT * FROM bookcore.{table} ORDER BY id").fetchall()  # noqa: S608
            for table in ("resource", "booking", "closure")]  # fmt: skip


def active(admin: Any) -> list[Any]:
    """Return what the tables say of what is there now, but for what a checkpoint does not tell."""
    ask = """SELECT id, capacity, labels, fields FROM bookcore.resource WHERE active ORDER BY id;
             SELECT id, resource, numbers, quantity, held, until, fields FROM bookcore.booking WHERE active ORDER BY id;
             SELECT id, resource, numbers, reason FROM bookcore.closure WHERE active ORDER BY id"""
    return [admin.execute(each).fetchall() for each in ask.split(";")]


def test_a_sound_database_is_found_whole(address: str, opened: Open, world: SimpleNamespace) -> None:
    """With its position, its digest, and the checkpoints that were compared; progress is told in bytes."""
    calendar = filled(opened, world)
    calendar.checkpoint()
    calendar.book("room", 600, 601)
    told: list[tuple[int, int]] = []
    found = databases.check(address, progress=lambda done, total: told.append((done, total)))
    assert found.is_whole, (found.faults, found.differences)
    position = calendar.position
    assert (found.calendar, found.position, found.records, found.begins) == ("berlin", position, position, 0)
    assert found.digest == calendar.digest()
    assert found.checkpoints == (calendar.position - 1,)
    assert told[-1][0] == told[-1][1] > 0
    assert sorted(told) == told


DAMAGE = {
    "booking hold: differs in numbers": "UPDATE bookcore.booking SET numbers = '[5,6)' WHERE id = 'hold'",
    "booking hold: differs in exclusive": "UPDATE bookcore.booking SET exclusive = true WHERE id = 'hold'",
    "booking hold: differs in active": "UPDATE bookcore.booking SET active = false WHERE id = 'hold'",
    "booking named: differs in quantity, fields":
        "UPDATE bookcore.booking SET fields = '{\"guest\": 1}', quantity = 2 WHERE id = 'named'",
    "booking soon: missing": "DELETE FROM bookcore.booking WHERE id = 'soon'",
    "booking late: extra, booking soon: missing": "UPDATE bookcore.booking SET id = 'late' WHERE id = 'soon'",
    "resource 7: differs in capacity": "UPDATE bookcore.resource SET capacity = 8 WHERE id = '7'",
    "resource again: differs in active": "UPDATE bookcore.resource SET active = true WHERE id = 'again'",
    "closure 1: missing": "DELETE FROM bookcore.closure WHERE id = 1",
}  # fmt: skip
"""What another program may do to a table, by what is found."""


def test_a_row_that_another_program_changed_is_found_and_put_right(
    address: str, opened: Open, admin: Any, world: SimpleNamespace
) -> None:
    """Changed, missing and extra rows, with the columns that differ; rebuilding touches these alone."""
    filled(opened, world)
    before = all_rows(admin)
    for found, damage in DAMAGE.items():
        assert admin.execute(damage).rowcount == 1, damage
        checked = databases.check(address)
        assert (", ".join(map(str, checked.differences)), checked.faults, checked.is_whole) == (found, (), False)
        assert databases.rebuild(address) == len(checked.differences)
        assert all_rows(admin) == before
    assert databases.check(address).is_whole
    assert databases.rebuild(address) == 0


LOST = {
    "ALTER TABLE bookcore.booking DROP CONSTRAINT booking_numbers_excl": ["booking.booking_numbers_excl"],
    "ALTER TABLE bookcore.booking DROP CONSTRAINT booking_calendar_resource_fkey":
        ["booking.booking_calendar_resource_fkey"],
    "ALTER TABLE bookcore.closure DROP CONSTRAINT closure_pkey": ["closure.closure_pkey"],
    "ALTER TABLE bookcore.change DROP CONSTRAINT change_pkey": ["change.change_pkey"],
    "ALTER TABLE bookcore.calendar DROP CONSTRAINT calendar_pkey CASCADE": [
        "calendar.calendar_pkey", "change.change_calendar_fkey", "checkpoint.checkpoint_calendar_fkey",
        "resource.resource_calendar_fkey",
    ],
    "ALTER TABLE bookcore.resource ALTER active DROP NOT NULL": ["resource.active"],
    "DROP INDEX bookcore.booking_resource": ["booking.booking_resource"],
    "ALTER TABLE bookcore.change DROP CONSTRAINT change_calendar_fkey, ADD CONSTRAINT change_calendar_fkey "
    "FOREIGN KEY (calendar) REFERENCES bookcore.calendar NOT VALID": ["change.change_calendar_fkey"],
    "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'bookcore.booking_resource'::regclass":
        ["booking.booking_resource"],
}  # fmt: skip
"""What tables may lose, and what is found then; what is not valid is lost as well."""


def test_constraints_that_are_gone_are_found_by_name_and_made_again(
    address: str, opened: Open, admin: Any, world: SimpleNamespace
) -> None:
    """Keys, references, values that must be there, an index; and the referees, which an extension takes with it."""
    filled(opened, world)
    referees = [f"booking.booking_{column}_excl" for column in ("during", "during_local", "dates", "numbers", "keys")]
    for damage, lost in {**LOST, "DROP EXTENSION btree_gist CASCADE": referees}.items():
        admin.execute(damage)
        checked = databases.check(address)
        assert [f"{table}.{name}" for table, name, _, _ in checked.differences] == lost
        assert "missing in the schema; `bookcore db upgrade` makes it again" in str(checked.differences[0])
        assert (checked.faults, checked.is_whole, checked.compared) == ((), False, True)
        assert databases.upgrade(address) == (3, 3, (), tuple(lost))
        assert databases.check(address).is_whole
    assert databases.upgrade(address) == (3, 3, (), ())


def test_rows_that_a_constraint_forbids_are_named_when_it_is_to_be_made_again(
    address: str, opened: Open, admin: Any
) -> None:
    """Nothing is changed; `rebuild` puts the rows right without it, and then it is made."""
    calendar = opened()
    calendar.add_resource(Resource("room"))
    for start in (1, 2):
        calendar.book("room", start, start + 1, id=f"visit {start}")
    admin.execute("DROP EXTENSION btree_gist CASCADE; UPDATE bookcore.booking SET numbers = '[1,3)'")
    reason = r"booking.booking_numbers_excl cannot be made.*berlin, room.*conflicts.*`bookcore db rebuild`"
    with pytest.raises(JournalError, match=reason):
        databases.upgrade(address)
    assert admin.execute("SELECT FROM pg_extension WHERE extname = 'btree_gist'").fetchone() is None
    assert databases.rebuild(address) == 2
    assert len(databases.upgrade(address).restored) == 5


def test_a_table_without_its_key_refuses_a_change_and_names_the_way_out(
    address: str, opened: Open, admin: Any
) -> None:
    """A row that is there already could not be told from a new one."""
    calendar = opened()
    calendar.add_resource(Resource("room"))
    admin.execute("ALTER TABLE bookcore.booking DROP CONSTRAINT booking_pkey CASCADE")
    with pytest.raises(JournalError, match="has lost its key; `bookcore db upgrade` makes it again"):
        calendar.book("room", 1, 2)
    assert len(calendar) == 0
    assert databases.upgrade(address).restored == ("booking.booking_pkey",)
    assert calendar.book("room", 1, 2).owns_lock


ALTERED = (
    "calendar ALTER position TYPE numeric, ALTER mark TYPE numeric", "calendar ALTER position TYPE int",
    "change ALTER position TYPE numeric, ALTER mark TYPE numeric", "change ALTER position TYPE int",
    "checkpoint ALTER position TYPE numeric, ALTER mark TYPE numeric", "booking ALTER quantity TYPE float8",
    "change ADD COLUMN note text", "booking ADD COLUMN note text",
)  # fmt: skip


def test_calendars_that_are_open_go_on_when_a_table_is_altered(address: str, opened: Open, admin: Any) -> None:
    """The server refuses what was prepared for columns of other types, for as long as the connection is there."""
    one, two = opened(), opened()
    one.add_resource(Resource("room"))
    two.catch_up()
    for number, altered in enumerate(ALTERED):
        admin.execute(f"ALTER TABLE bookcore.{altered}")
        for more, calendar in enumerate((one, two)):
            assert calendar.lag() == more, altered
            calendar.book("room", 2 * number + more, 2 * number + more + 1)
        one.catch_up()
        one.checkpoint()
        assert one.digest() == two.digest() == opened().digest()


def test_a_column_that_is_gone_is_named_with_the_way_out(opened: Open, admin: Any) -> None:
    """Nothing is changed."""
    calendar = opened()
    calendar.add_resource(Resource("room"))
    admin.execute("ALTER TABLE bookcore.booking RENAME COLUMN quantity TO units")
    with pytest.raises(JournalError, match=r'column "quantity".*altered; take that back, or bring back a backup'):
        calendar.book("room", 1, 2)
    admin.execute("ALTER TABLE bookcore.booking RENAME COLUMN units TO quantity")
    assert calendar.book("room", 1, 2).owns_lock


DROPPED: dict[str, Callable[[Any], Any]] = {
    "change": lambda c: c.book("room", 5, 6),
    "calendar": lambda c: c.remove_booking("there"),
    "resource": lambda c: c.add_resource(Resource("new")),
    "booking": lambda c: c.load([BookingEvent("room", at, at + 1) for at in range(10, 40)]),
    "closure": lambda c: c.close("room", 6, 7),
    "checkpoint": lambda c: c.checkpoint(),
    "booking_id": lambda c: c.book("room", 7, 8, id="named"),
}
"""What writes a row of each table."""


@pytest.mark.parametrize("is_divided", [False, True])
def test_a_trigger_that_keeps_rows_out_in_silence_refuses_the_change(
    address: str, admin: Any, is_divided: bool
) -> None:
    """Of which the server says nothing: a booking would be acknowledged, and be in no table."""
    address += "&partitions=2" if is_divided else ""
    with Calendar.open(address, follow=False) as calendar:
        calendar.add_resource(Resource("room"))
        calendar.book("room", 1, 2, id="there")
        admin.execute("CREATE FUNCTION drop_row() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
        for table, change in list(DROPPED.items())[: None if is_divided else -1]:
            row = f"bookcore.{table} FOR EACH ROW EXECUTE FUNCTION drop_row()"
            admin.execute(f"CREATE TRIGGER dropping BEFORE {'UPDATE' if table == 'calendar' else 'INSERT'} ON {row}")
            position, digest = calendar.position, calendar.digest()
            with pytest.raises(JournalError, match="the server did not write all that was sent; have the triggers dropped"):
                change(calendar)
            calendar.catch_up()
            assert (calendar.position, calendar.digest()) == (position, digest), table
            if table in ("change", "checkpoint"):
                with pytest.raises(JournalError, match="the server did not write all"):
                    Calendar.open(address.replace("berlin", f"without {table}"), follow=False).checkpoint()
            admin.execute(f"DROP TRIGGER dropping ON bookcore.{table}")
        for change in DROPPED.values():
            change(calendar)
        digest = calendar.digest()
        assert Calendar.open(address, follow=False).digest() == digest
        admin.execute("DELETE FROM bookcore.booking WHERE id = 'named'")
        row = "bookcore.booking FOR EACH ROW EXECUTE FUNCTION drop_row()"
        admin.execute(f"CREATE TRIGGER dropping BEFORE INSERT ON {row}")
        with pytest.raises(JournalError, match="the server did not write all"):
            databases.rebuild(address)
        admin.execute("DROP TRIGGER dropping ON bookcore.booking")
        admin.execute("CREATE RULE dropping AS ON INSERT TO bookcore.closure DO INSTEAD NOTHING")
        with pytest.raises(JournalError, match=r"the change was not made: .* have the rules dropped"):
            calendar.close("room", 8, 9)
        admin.execute("DROP RULE dropping ON bookcore.closure")
        assert databases.rebuild(address) == 1
        assert databases.check(address).is_whole


def test_an_extra_row_to_which_another_table_refers_is_not_removed(address: str, opened: Open, admin: Any) -> None:
    """The error names that table; nothing is changed."""
    calendar = opened()
    calendar.add_resource(Resource("room"))
    calendar.book("room", 1, 2, id="visit")
    admin.execute("UPDATE bookcore.booking SET id = 'foreign'")
    reference = "FOREIGN KEY (calendar, booking) REFERENCES bookcore.booking"
    admin.execute(f"CREATE TABLE rating (calendar text, booking text, {reference})")
    admin.execute("INSERT INTO rating VALUES ('berlin', 'foreign')")
    with pytest.raises(JournalError, match=r'its tables were not rebuilt.*"rating"'):
        databases.rebuild(address)
    assert len(databases.check(address).differences) == 2


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("DELETE FROM bookcore.change WHERE position = 2", "record 2 is damaged or gone"),
        ("UPDATE bookcore.change SET record = 'x' WHERE position = 3", "record 3 is damaged or gone"),
        ("DELETE FROM bookcore.change WHERE position = 4", "its last record is 3, and its head says 4"),
        ("UPDATE bookcore.calendar SET position = 9", "its last record is 4, and its head says 9"),
        ("DELETE FROM bookcore.change WHERE position = 0", "its first records are gone"),
        ("UPDATE bookcore.calendar SET origin = 1", "its first records are gone"),
        ("UPDATE bookcore.change SET mark = 1 WHERE position = 0", "its first records are gone"),
    ],
)
def test_records_that_do_not_follow_are_found(damage: str, reason: str, address: str, opened: Open, admin: Any) -> None:
    """The tables are not made of such records."""
    calendar = opened()
    calendar.add_resource(Resource("room"))
    for at in range(3):
        calendar.book("room", at, at + 1)
    admin.execute(damage)
    found = databases.check(address)
    (fault,) = found.faults
    assert isinstance(fault, JournalDamagedError)
    assert reason in str(fault)
    good = 0 if "first" in reason else int(re.findall("[0-9]+", reason)[0]) - ("damaged" in reason)
    assert (found.position, found.records, found.compared, found.differences) == (good, good, False, ())
    way = f"record {good + 1} is damaged or gone; as_of={good} opens the state before it" if good else "bring back a backup"
    with pytest.raises(JournalDamagedError, match=way):
        opened()
    before = all_rows(admin)
    with pytest.raises(JournalDamagedError, match=reason):
        databases.rebuild(address)
    assert all_rows(admin) == before


def test_records_before_one_that_cannot_be_applied_count(address: str, admin: Any) -> None:
    """Its checksum is right, and it is not what may come there: as of a program that is wrong."""
    place = address.replace("berlin", "paris&tables=no")
    with Calendar.open(place, follow=False) as calendar:
        calendar.add_resource(Resource("room"))
        calendar.load([BookingEvent("room", 1, 2, id="one")])
        (record,) = admin.execute("SELECT record FROM bookcore.change WHERE position = 2").fetchone()
        journal: Any = calendar._recorder.journal
        journal.lock(1, journal.head(), 1)
        journal.append(journal.head(), [record])
    found = databases.check(place)
    (fault,) = found.faults
    assert "record 3" in str(fault)
    assert (found.position, found.records) == (2, 2)


def test_a_checkpoint_that_is_not_what_the_records_say_is_found(address: str, opened: Open, admin: Any) -> None:
    """Whole as a file, and of the right place, but of another calendar."""
    calendar = opened()
    calendar.add_resource(Resource("room"))
    calendar.checkpoint()
    calendar._engine.state.registry.by_id["room"].capacity = 7  # memory is wrong, and the next checkpoint as well
    calendar.tag("room", "sea")
    calendar.checkpoint()
    calendar._engine.state.registry.by_id["room"].capacity = 1
    (fault,) = databases.check(address).faults
    assert "checkpoint 2 is not the calendar that the records up to there make" in str(fault)
    admin.execute("UPDATE bookcore.checkpoint SET snapshot = 'x' WHERE position = 1")
    assert len(databases.check(address).faults) == 2


def test_a_damaged_checkpoint_with_which_a_calendar_begins_is_a_fault(
    address: str, opened: Open, admin: Any, tmp_path: Path
) -> None:
    """Records are checked from the next one on that is whole; without one, none is."""
    source = Calendar()
    source.add_resource(Resource("room"))
    source.snapshot(tmp_path / "rooms.bks")
    copy_calendar(tmp_path / "rooms.bks", address)
    calendar = opened()
    calendar.book("room", 0, 1)
    admin.execute("UPDATE bookcore.checkpoint SET snapshot = 'x' WHERE position = 1")
    found = databases.check(address)
    assert [f"{calendar._recorder.name}, checkpoint 1" in str(fault) for fault in found.faults] == [True, False]
    assert "no checkpoint before the others that is whole" in str(found.faults[1])
    assert (found.records, found.compared) == (0, False)
    calendar.checkpoint()
    calendar.book("room", 1, 2)
    found = databases.check(address)
    assert ["checkpoint 1" in str(fault) for fault in found.faults] == [True]
    assert (found.begins, found.position, found.records, found.compared) == (2, 3, 1, True)


def test_a_calendar_that_begins_with_a_checkpoint_is_checked_from_there(
    address: str, opened: Open, admin: Any, world: SimpleNamespace
) -> None:
    """As one that was copied: the tables are made of it, and of the records after it."""
    calendar = filled(opened, world)
    calendar.checkpoint()
    start = calendar.position
    calendar.book("room", 700, 701)
    calendar.remove_booking("named")
    before = active(admin)
    admin.execute("DELETE FROM bookcore.change WHERE position < %s", (start,))
    found = databases.check(address)
    assert found.is_whole, (found.faults, found.differences)
    assert (found.begins, found.records, found.digest) == (start, 2, calendar.digest())
    admin.execute("DELETE FROM bookcore.booking; DELETE FROM bookcore.closure; DELETE FROM bookcore.resource")
    assert len(databases.check(address).differences) > 50
    databases.rebuild(address)
    assert databases.check(address).is_whole
    assert active(admin) == before
    admin.execute("UPDATE bookcore.booking SET numbers = '[7000,7001)' WHERE numbers @> 700::numeric")
    assert [each.columns for each in databases.check(address).differences] == [("numbers",)]


def test_a_database_of_an_older_schema_is_refused_by_name_and_brought_up(
    address: str, opened: Open, admin: Any, world: SimpleNamespace
) -> None:
    """All its calendars get tables, as if they had had them from the first record on; again it does nothing."""
    calendar = filled(opened, world)
    calendar.close()
    with Calendar.open(address.replace("berlin", "paris")) as other:
        other.add_resource(Resource("room"))
    before = all_rows(admin)
    admin.execute(BACK_TO_1)
    for call in (Calendar.open, databases.check, databases.rebuild, databases.init):
        with pytest.raises(JournalVersionError, match="format 1 is older than 3; `bookcore db upgrade`"):
            call(address)
    assert databases.upgrade(address) == (1, 3, ("berlin",), ())
    assert databases.upgrade(address.partition("&")[0]) == (3, 3, ("paris",), ())
    assert databases.upgrade(address) == (3, 3, (), ())
    assert all_rows(admin) == before
    assert databases.check(address).is_whole
    assert opened().digest() == calendar.digest()


def test_records_of_schema_2_tell_no_times(address: str, opened: Open, admin: Any, brought_up: Callable[..., None]) -> None:
    """Those after the upgrade do; and the tables are as those of a new database."""
    calendar = opened()
    calendar.add_resource(Resource("room"))
    calendar.book("room", 1, 2)
    ask = """SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'bookcore.booking'::regclass
             ORDER BY 1"""
    before = admin.execute(ask).fetchall()
    admin.execute(BACK_TO_2)
    assert admin.execute(ask).fetchall() != before
    brought_up(address, 2, 3)
    assert admin.execute(ask).fetchall() == before


def test_a_database_of_schema_2_that_has_lost_its_referees_is_brought_up(address: str, opened: Open, admin: Any) -> None:
    """It gets those of schema 3."""
    opened().add_resource(Resource("room"))
    admin.execute(f"{BACK_TO_2}; DROP EXTENSION btree_gist CASCADE")
    assert databases.upgrade(address) == (2, 3, (), ())
    assert databases.check(address).is_whole


def test_a_newer_schema_is_refused(address: str, opened: Open, admin: Any) -> None:
    """By everything that opens a database."""
    opened()
    admin.execute("UPDATE bookcore.schema SET version = 4")
    for call in (Calendar.open, databases.check, databases.rebuild, databases.upgrade, databases.init):
        with pytest.raises(JournalVersionError, match="format 4 is newer than 3"):
            call(address)


def test_tables_are_added_while_a_calendar_is_open(address: str, opened: Open) -> None:
    """Its next command writes them."""
    with Calendar.open(f"{address}&tables=no", follow=False) as calendar:
        calendar.add_resource(Resource("room"))
        calendar.book("room", 1, 2)
        assert not databases.check(address).has_tables
        with pytest.raises(JournalError, match="has no tables"):
            databases.rebuild(address)
        assert databases.upgrade(f"{address}&tables=no").tables_added == ()
        assert databases.upgrade(address).tables_added == ("berlin",)
        calendar.book("room", 2, 3)
        found = databases.check(address)
        assert (found.is_whole, found.has_tables) == (True, True)
        assert len(opened()) == 2


def test_an_upgrade_of_records_that_do_not_follow_changes_nothing(
    address: str, admin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those of a broken build, whose bookings overlap."""
    one, broken = (Calendar.open(f"{address}&tables=no", follow=False) for _ in range(2))
    one.add_resource(Resource("room"))
    broken.catch_up()
    with monkeypatch.context() as patch:
        patch.setattr(SharedRecorder, "apply", lambda self, news, **_: setattr(self, "place", [[self.place], *news][-1][0]))
        one.book("room", 1, 5)
        broken._engine.state.ledger.last = 1
        broken.book("room", 3, 9)
    with pytest.raises(JournalDamagedError, match="record 3"):
        databases.upgrade(address)
    tables = "SELECT tables, to_regclass('bookcore.booking') FROM bookcore.calendar"
    assert admin.execute(tables).fetchall() == [(False, None)]
    one.close()
    broken.close()


def test_what_is_not_there_is_named(address: str, opened: Open) -> None:
    """An empty database, and a calendar of another name."""
    with pytest.raises(JournalError, match="`bookcore db init` makes one"):
        databases.upgrade(address)
    with pytest.raises(JournalError, match="there is no calendar in it, and an opening that only reads"):
        Calendar.open(address, create=False)
    for call in (databases.check, databases.rebuild):
        with pytest.raises(JournalError, match="`bookcore db init` makes one"):
            call(address)
    databases.init(address, bounds="[]")
    databases.init(address)
    with pytest.raises(JournalError, match=r"its calendar has the bounds '\[\]', not '\[\)'"):
        databases.init(address, bounds="[)")
    with Calendar.open(address, create=False) as calendar:
        assert calendar.bounds == "[]"
    for call in (databases.check, databases.rebuild, databases.upgrade):
        with pytest.raises(JournalError, match=r"there is no calendar 'rome' in it; there are 'berlin'"):
            call(address.replace("berlin", "rome"))
        with pytest.raises(JournalError, match="does not exist"):
            call(address.replace("/test_", "/nowhere_"))


@pytest.mark.parametrize("what", [1, None, b"", [], "", "postgresql://127.0.0.1:1/\udc80", "postgresql://\udc80@127.0.0.1:1/x"])
def test_what_is_no_address_is_refused(what: Any) -> None:
    """What is no text, and text that no server reads."""
    for call in (databases.init, databases.is_there, databases.upgrade, databases.rebuild, databases.check):
        with pytest.raises(JournalError):
            call(what)


def test_a_server_that_does_not_answer_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one behind a wall that drops what is sent."""
    monkeypatch.setattr(databases, "TIMEOUT", 2.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"postgresql://127.0.0.1:{silent.getsockname()[1]}/rooms?sslmode=disable&gssencmode=disable"
        with pytest.raises(JournalError, match="cannot be read: connection timeout expired; no server answers there"):
            databases.check(address)


def test_a_copy_into_a_database_has_tables(
    address: str, opened: Open, admin: Any, world: SimpleNamespace, postgres_server: PostgresServer
) -> None:
    """Of what stands; the records after it go on from there. Nothing is copied where the tables cannot be had."""
    calendar = filled(opened, world)
    rows = active(admin)
    admin.execute("TRUNCATE bookcore.resource, bookcore.booking, bookcore.closure")
    copied = copy_calendar(address, address.replace("berlin", "paris"))
    assert active(admin) == rows
    found = databases.check(address.replace("berlin", "paris"))
    assert (found.is_whole, found.begins, found.digest) == (True, copied.position, calendar.digest())
    with Calendar.open(address.replace("berlin", "paris"), types=world.TYPES) as copy:
        copy.remove_booking("named")
        copy.book("room", 800, 801)
        assert databases.check(address.replace("berlin", "paris")).is_whole
    copy_calendar(address, address.replace("berlin", "rome&tables=no"))
    assert not databases.check(address.replace("berlin", "rome")).has_tables


def test_a_checkpoint_of_another_place_is_found(address: str, opened: Open, admin: Any) -> None:
    """Whole as it is, it would be followed by the wrong records."""
    calendar = opened()
    calendar.add_resource(Resource("room"))
    calendar.book("room", 1, 2)
    calendar.checkpoint()
    admin.execute("UPDATE bookcore.checkpoint SET position = 1")
    (fault,) = databases.check(address).faults
    assert "it is of another place" in str(fault)


def test_what_is_checked_begins_after_the_records_that_are_gone(address: str, opened: Open, admin: Any) -> None:
    """A checkpoint before the first record that is there is of no use."""
    calendar = opened()
    calendar.add_resource(Resource("room"))
    for at in range(3):
        calendar.checkpoint()
        calendar.book("room", at, at + 1)
    admin.execute("DELETE FROM bookcore.change WHERE position < 3")
    found = databases.check(address)
    assert (found.is_whole, found.begins, found.position) == (True, 3, 4)


def test_a_constraint_of_another_program_that_refuses_a_row_is_named(address: str, opened: Open, admin: Any) -> None:
    """It is no referee of ours; nothing is changed."""
    calendar = opened()
    calendar.add_resource(Resource("room"))
    calendar.book("room", 1, 2)
    admin.execute("DELETE FROM bookcore.booking")
    admin.execute("ALTER TABLE bookcore.booking ADD CONSTRAINT of_others CHECK (quantity > 1)")
    with pytest.raises(JournalError, match=r"were not rebuilt: .*of_others"):
        databases.rebuild(address)
    assert admin.execute("SELECT count(*) FROM bookcore.booking").fetchone() == (0,)
    with pytest.raises(JournalError, match=r"the change was not made: .*of_others"):
        calendar.book("room", 5, 6)
    with Calendar.open(address.replace("berlin", "rome&partitions=2"), follow=False) as parts:
        parts.add_resource(Resource("room"))
        with pytest.raises(JournalError, match=r"the change was not made: .*of_others"):
            parts.book("room", 5, 6, id="talk")
        assert len(parts) == 0
    assert len(calendar) == 1


def test_a_row_that_another_program_keeps_active_refuses_the_one_in_its_place(
    address: str, opened: Open, admin: Any
) -> None:
    """The tables are not rebuilt then, and what refused it is told as for a change."""
    calendar = opened()
    calendar.add_resource(Resource("room"))
    calendar.book("room", 1, 2)
    admin.execute("UPDATE bookcore.booking SET id = 'other'")
    admin.execute("""
        CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.active := true; RETURN NEW; END';
        CREATE TRIGGER keep BEFORE UPDATE ON bookcore.booking FOR EACH ROW EXECUTE FUNCTION keep()
    """)
    with pytest.raises(RefereeError, match="'room' is booked in") as refused:
        databases.rebuild(address)
    assert refused.value.resource == "room"
    assert admin.execute("SELECT id FROM bookcore.booking").fetchall() == [("other",)]
