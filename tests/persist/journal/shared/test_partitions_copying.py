"""Calendars that are copied into partitions, out of them, and to another number of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bookcore import Calendar, DuplicateBookingError, QueryError, Resource, copy_calendar
from bookcore.hours import Hours
from bookcore.persist.journal.errors import JournalDamagedError, JournalError
from bookcore.persist.journal.reading import blank
from bookcore.persist.shared import databases
from bookcore.persist.shared.partitioned import copying
from bookcore.persist.shared.pgschema import Address
from bookcore.persist.snapshot.classes import handed_in
from bookcore.persist.snapshot.digest import digest


def told(calendar: Any) -> Any:
    """Return what a calendar holds, but for the order of bookings and closures of different partitions."""
    bookings = [
        (one.resource.id, one.start, one.end, one.id, one.quantity, str(one.status), one.until, dict(one.fields))
        for one in calendar.bookings()
    ]
    ids = calendar.resources.ids()
    rooms = [(id, sorted(map(repr, calendar.tags_of(id))), str(calendar.hours_of(id))) for id in ids]
    each = [[(one.start, one.end, one.id) for one in calendar.bookings(id)] for id in ids]
    closures = [(one.id, one.resource.id, one.start, one.end, one.reason) for one in calendar.closures()]
    return sorted(bookings, key=repr), rooms, each, sorted(closures)


@pytest.fixture
def lived(parted: Callable[..., Any], world: SimpleNamespace) -> Any:
    """Return a calendar in four partitions after every kind of change, with some more rooms."""
    clock = world.Clock(0)
    calendar = parted(clock=clock)
    for _ in world.history(calendar, clock, int):
        pass
    for number in range(12):
        calendar.add_resource(Resource(f"r{number}"))
        calendar.book(f"r{number}", 1, 2, id=f"b{number}" if number % 2 else None)
        calendar.close(f"r{number}", 8, 9)
    calendar.checkpoint()
    calendar.barrier()
    return calendar


def test_a_calendar_goes_through_any_number_of_partitions_and_stays_the_same(
    lived: Any, divided: str, world: SimpleNamespace
) -> None:
    """Ids and numbers, too; the numbers that are given next are new, and an id is given once."""
    places = [divided.replace("calendar=", f"calendar={name}-") for name in ("two", "one", "eight", "four")]
    places[0], places[1] = places[0].replace("=4", "=2"), places[1].replace("&partitions=4", "")
    places[2] = places[2].replace("=4", "=8")
    before, source = told(lived), divided
    digests = set()
    for place in places:
        copied = copy_calendar(source, place, types=world.TYPES)
        digests.add(copied.digest)
        made: Any = Calendar.open(place, types=world.TYPES, as_of="now")
        if "partitions" in place:
            assert set(made.position) == {copied.position}
        else:
            assert (made.position, made.digest()) == (copied.position, copied.digest)
        assert (copied.resources, copied.bookings) == (len(lived.resources), len(lived))
        with Calendar.open(place, types=world.TYPES, clock=world.Clock(0), follow=False) as copy:
            assert told(copy) == before, place
            copy.check()
            for id in ("b3", lived.get("b3").id, next(lived.bookings("r2")).id):
                with pytest.raises(DuplicateBookingError):
                    copy.book("r7", 20, 21, id=id)
            numbers = {event.id for event in copy.bookings()} | {closure.id for closure in copy.closures()}
            made = [copy.book(room, 30, 31).id for room in ("r1", "r2", "r3", "r4")]
            assert numbers.isdisjoint(made)
            assert len(set(made)) == 4
            for room in ("r1", "r2", "r3", "r4"):
                copy.remove_booking(next(copy.bookings(room, 30, 31)))
            assert copy.remove_booking("b5").id == "b5"
            assert copy.book("r9", 40, 41, id="b5").id == "b5"
            copy.move("b5", resource="r5", start=1, end=2)
        source = divided
    assert len(digests) == 1


def test_a_copy_into_partitions_is_there_as_a_whole_or_not_at_all(
    lived: Any, divided: str, world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They begin in one transaction, and are there from another one on; a name that is taken is refused."""
    place = divided.replace("calendar=", "calendar=copy-")
    whole = divided.replace("calendar=", "calendar=whole-").replace("&partitions=4", "")
    copy_calendar(divided, whole, types=world.TYPES)

    def claim(connection: Any, divided: str, number: int, state: Any) -> None:
        if number == 2:
            raise OSError("cut off")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="cut off"):
        patch.setattr(copying, "_claim", claim)
        copy_calendar(whole, place, types=world.TYPES)
    with pytest.raises(JournalError, match=r"there is no calendar .* in partitions in it"):
        Calendar.open(place, create=False)
    with monkeypatch.context() as patch, pytest.raises(JournalDamagedError, match="does not read back as it was written"):
        patch.setattr("bookcore.persist.copying.load_bytes", lambda *args: (None, lived.parts[0].state))
        copy_calendar(whole, place, types=world.TYPES)
    copy_calendar(whole, place, types=world.TYPES)
    for to in (place, whole, place.replace("=4", "=2"), f"{whole}&partitions=2"):
        with pytest.raises(JournalError, match=r"holds a calendar|is divided into 4 partitions, not 2"):
            copy_calendar(divided, to, types=world.TYPES)
    with pytest.raises(JournalError, match="partitions are for PostgreSQL"):
        copy_calendar(whole, "sqlite:///rooms.db?partitions=2", types=world.TYPES)


def test_a_copy_into_partitions_that_the_database_refuses_is_not_there(
    lived: Any, divided: str, world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error tells what it says; copying again begins anew."""
    place = divided.replace("calendar=", "calendar=copy-")
    with monkeypatch.context() as patch, pytest.raises(JournalError, match="cannot be written: the server did not write"):
        patch.setattr(copying, "_claim", lambda connection, *_: connection.execute("SELECT 1 / 0"))
        copy_calendar(divided, place, types=world.TYPES)
    assert copy_calendar(divided, place, types=world.TYPES).bookings == len(lived)


def test_opening_hours_go_into_partitions_and_out_of_them() -> None:
    """They stand before the bookings."""
    calendar = Calendar()
    for room in "abcd":
        calendar.add_resource(Resource(room))
    calendar.set_hours(list("abd"), Hours({"mon-fri": "09:00-17:00"}, zone="Europe/Paris"))
    calendar.book("a", datetime(2026, 5, 4, 10, tzinfo=UTC), datetime(2026, 5, 4, 11, tzinfo=UTC))
    state = calendar._engine.state

    def make(bounds: str, event_type: Any) -> Any:
        made = blank(bounds, event_type)[1]
        return made, made

    known = handed_in("here", [])
    apart = copying.take_apart(make, state, 3, "here", known)
    assert sum(len(part.registry) for part in apart) == 4
    together = copying.put_together(make, apart, list("abcd"), "here", known)
    together.ledger.last, together.closures.last_id = state.ledger.last, state.closures.last_id  # those are new ones
    assert digest(together) == calendar.digest()


def test_nothing_is_written_as_one_partition_of_a_calendar_that_is_not_there(
    lived: Any, divided: str, admin: Any, world: SimpleNamespace
) -> None:
    """A copy into one partition would have the resources of all, and a partition alone has numbers of no partition."""
    place = divided.replace("calendar=", "calendar=lone-")
    one, whole = f"{place}&partition=1", divided.replace("calendar=", "calendar=all-").replace("&partitions=4", "")
    copy_calendar(divided, whole, types=world.TYPES)
    with pytest.raises(QueryError, match=r"one partition is part of a whole: leave partition=\.\.\. out"):
        copy_calendar(whole, one, types=world.TYPES)
    with pytest.raises(JournalError, match=r"there is no calendar 'lone-.*' in partitions in it"):
        databases.init(one)
    ask = "SELECT count(*) FROM bookcore.calendar WHERE starts_with(name, 'lone-')"
    assert admin.execute(ask).fetchone()[0] == 0


def forget(admin: Any, pattern: str) -> None:
    """Remove calendars without resources, as no program of ours does."""
    admin.execute("DELETE FROM bookcore.checkpoint WHERE calendar LIKE %s", (pattern,))
    admin.execute("DELETE FROM bookcore.change WHERE calendar LIKE %s", (pattern,))
    admin.execute("DELETE FROM bookcore.calendar WHERE name LIKE %s", (pattern,))


def test_a_division_of_which_a_part_is_there_without_the_directory_is_refused(divided: str, admin: Any) -> None:
    """What has become of the rest is not known; a directory without all its parts was cut off, and is gone on with."""
    Calendar.open(divided, follow=False).close()
    name = str(Address.of(divided).calendar)
    forget(admin, name)
    for call in (Calendar.open, databases.init):
        with pytest.raises(JournalError, match=r"has a part 'divided-.*/0' and no directory"):
            call(divided)
    forget(admin, f"{name}/%")
    databases.init(divided)
    forget(admin, f"{name}/3")
    databases.init(f"{divided}&partition=3")
    calendar: Any = Calendar.open(divided, follow=False, create=False)
    with calendar:
        assert [part.state.ledger.last // 10**12 for part in calendar.parts] == [1, 2, 3, 4]


def test_as_of_is_of_one_partition_which_is_copied_alone(parted: Callable[..., Any], divided: str, tmp_path: Path) -> None:
    """Of all together the order of registration is not known then; the error names the way, and it is one."""
    calendar = parted()
    for room in "abcdefgh":
        calendar.add_resource(Resource(room))
    number = calendar.partition_of("a")
    position = calendar.position[number]
    there = [room for room in "abcdefgh" if calendar.partition_of(room) == number]
    calendar.book("a", 1, 2)
    way = r"leave out as_of, or add &partition=0, \.\.\. to the address, which copies that one as of a position of it"
    for as_of in (position, calendar.position, datetime(2026, 1, 1, tzinfo=UTC), None):
        with pytest.raises(QueryError, match=way):
            copy_calendar(divided, tmp_path / "all.bks", as_of=as_of)
    copied = copy_calendar(f"{divided}&partition={number}", tmp_path / "one.bks", as_of=position)
    assert (copied.resources, copied.bookings) == (len(there), 0)
    assert Calendar.restore(tmp_path / "one.bks").resources.ids() == there
    assert not (tmp_path / "all.bks").exists()
