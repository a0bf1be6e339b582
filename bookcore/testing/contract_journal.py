"""`JournalContract`: the conformance suite that a journal must pass, given a way to open a calendar at a place.

    import pytest
    from bookcore.testing import JournalContract

    class TestMyJournal(JournalContract):
        @pytest.fixture
        def new_place(self, tmp_path):
            numbers = itertools.count()
            return lambda: tmp_path / f"calendar-{next(numbers)}"

Only the public calls of an opened calendar are used, so it is one suite for every kind of place that `Calendar.open` knows.
A subclass may say more: `opening` for arguments of its own, `abandon` for the end of a process that closed nothing,
`failing` to have records refused. It may add tests but must not override one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from random import Random
from types import SimpleNamespace
from typing import Any, TypeAlias

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from bookcore import (
    BookcoreError,
    BookingEvent,
    Calendar,
    ConflictError,
    Resource,
    SnapshotError,
    StoreError,
    TransactionError,
    changes,
)
from bookcore.persist.errors import SnapshotTypeError, SnapshotValueError
from bookcore.persist.journal.errors import JournalError
from bookcore.persist.registry import register_key_codec
from bookcore.testing.contract_laws import fingerprint
from bookcore.testing.contract_threads import run_together
from bookcore.testing.every_change import TYPES, Clock, Flat, every_change, register_boats
from bookcore.testing.families import Family, OnlyLess, families, family
from bookcore.testing.reopening import journal_machine

Places: TypeAlias = Callable[[], Any]


class JournalContract:
    """What every journal promises. See the module."""

    # -- what a subclass says ----------------------------------------------------------------------

    @pytest.fixture
    def new_place(self) -> Places:
        """Return a function that returns a place without a calendar, another one each time."""
        raise NotImplementedError("a journal is tested with a fixture `new_place`")

    def opening(self, place: Any, **options: Any) -> Calendar:
        """Open the calendar of a place."""
        opened: Calendar = Calendar.open(place, **options)
        return opened

    def abandon(self, calendar: Calendar) -> None:
        """Leave a calendar as a process does that ends without having closed it. By default it is closed."""
        calendar.close()

    def failing(self, calendar: Calendar) -> AbstractContextManager[Any]:
        """Return a block in which no record of *calendar* can be written, and after which records can be written again."""
        pytest.skip(f"{type(self).__name__} cannot have records refused")

    @pytest.fixture(autouse=True)
    def _codecs(self) -> None:
        register_boats()
        register_key_codec(OnlyLess, "bookcore.testing.OnlyLess", lambda key: key.rank, OnlyLess)

    def _with_room(self, place: Any, bookings: int = 3, **options: Any) -> Calendar:
        """Return an opened calendar with a resource and so many bookings."""
        calendar = self.opening(place, **options)
        room = calendar.add_resource(Resource("room"))
        for at in range(bookings):
            calendar.book(room, at, at + 1)
        return calendar

    def _left(self, calendar: Calendar, way: str) -> None:
        """Leave a calendar, closed or not."""
        calendar.close() if way == "close" else self.abandon(calendar)

    # -- opened anew -------------------------------------------------------------------------------

    def test_a_new_place_has_an_empty_calendar(self, new_place: Places) -> None:
        """At position 0, however often it is opened."""
        place = new_place()
        for _ in range(3):
            with self.opening(place) as calendar:
                assert (calendar.position, len(calendar), len(calendar.resources)) == (0, 0, 0)
                assert calendar.digest() == Calendar().digest()
        with self.opening(new_place()) as other:
            other.add_resource(Resource("room"))
        with self.opening(place) as calendar:
            assert len(calendar.resources) == 0

    @pytest.mark.parametrize("keys", families(), ids=str)
    def test_a_history_goes_on_where_it_was_left(self, new_place: Places, keys: Family) -> None:
        """Every kind of change; left in either way, and opened anew, at random steps. A follower has the same state."""
        rng = Random(str(keys))  # noqa: S311 - it guards no secret
        place, clock = new_place(), Clock(keys.key(0))
        calendar, follower = self.opening(place, types=TYPES, clock=clock), Calendar(key=_id_of)
        calendar.subscribe(follower.apply)
        for step, change in every_change(clock, lambda rank: keys.key(rank, rank)):
            change(calendar)
            calendar.barrier()  # a hold that a question found to have run out is in the next record
            found = calendar.position, calendar.digest()
            assert follower.digest() == found[1], step
            if rng.random() < 0.15:
                calendar.checkpoint()
            if rng.random() < 0.5:
                self._left(calendar, rng.choice(["close", "abandon"]))
                calendar = self.opening(place, types=TYPES, clock=clock)
                assert (calendar.position, calendar.digest()) == found, step
                calendar.subscribe(follower.apply)
        calendar.check()
        follower.check()
        calendar.close()

    @pytest.mark.parametrize("name", ["int", "aware", "own"])
    def test_random_histories_go_on_where_they_were_left(self, new_place: Places, name: str) -> None:
        """After every step all answers are those of a calendar that was never closed, and of the oracle."""
        walk = journal_machine(new_place, self.opening, keys=name, bounds="[]" if name == "aware" else "[)")
        run_state_machine_as_test(walk, settings=settings(max_examples=max(3, settings().max_examples // 10)))

    @pytest.mark.parametrize("way", ["close", "abandon"])
    def test_every_answer_is_the_same_after_opening_anew(self, new_place: Places, way: str) -> None:
        """Not the digest alone: order, ids, hours, capacities, closures, and what the next booking is refused for."""
        place, clock = new_place(), Clock(family("int").key(0))
        calendar = self.opening(place, types=TYPES, clock=clock)
        for _, change in every_change(clock, int):
            change(calendar)
        calendar.barrier()
        windows = [(None, None), (0, 4), (3, 11), (20, 90), (100, 200), (400, None)]

        def look(calendar: Calendar) -> Any:
            told = fingerprint(calendar, windows)
            kinds = [(type(one).__name__, getattr(one, "rooms", None)) for one in calendar.resources]
            stays = [(type(one).__name__, one.fields) for one in calendar.bookings()]
            with pytest.raises(ConflictError) as caught:
                calendar.book("boat", 1, 5)
            return told, kinds, stays, str(caught.value), [repr(closure) for closure in calendar.closures()]

        before = look(calendar)
        self._left(calendar, way)
        with self.opening(place, types=TYPES, clock=clock) as again:
            assert look(again) == before

    @pytest.mark.parametrize("bounds", ["[)", "[]"])
    def test_bounds_are_those_of_the_calendar(self, new_place: Places, bounds: str) -> None:
        """They need not be given again, and no others are taken."""
        place = new_place()
        with self.opening(place, bounds=bounds) as calendar:
            calendar.book(calendar.add_resource(Resource("room")), 1, 5)
        for told in (None, bounds):
            with self.opening(place, bounds=told) as again:
                assert (again.bounds, again.is_available("room", 5, 6)) == (bounds, bounds == "[)")
        with pytest.raises(JournalError, match="bounds"):
            self.opening(place, bounds="[)" if bounds == "[]" else "[]")

    def test_a_class_that_is_not_handed_in_is_named(self, new_place: Places) -> None:
        """No class is imported because a record names it. Handed in, everything is there."""
        place = new_place()
        with self.opening(place, types=TYPES) as calendar:
            calendar.add_resource(Flat("flat", 3))
        with pytest.raises(SnapshotError, match="Flat"):
            self.opening(place)
        with self.opening(place, types=TYPES) as again:
            assert [(type(one), one.rooms) for one in again.resources] == [(Flat, 3)]

    # -- records -----------------------------------------------------------------------------------

    def test_a_command_is_one_record_and_so_is_a_transaction(self, new_place: Places) -> None:
        """Whatever it does; the position counts records, and opening anew makes none."""
        calls: list[Callable[[Calendar], Any]] = [
            lambda c: c.add_resource(Resource("room")),
            lambda c: c.book("room", 1, 2, id="stay"),
            lambda c: c.move("stay", end=3),
            lambda c: c.change("stay", guest="Ada"),
            lambda c: c.tag("room", "sea", "lake"),
            lambda c: c.load([BookingEvent("room", at, at + 1) for at in range(50, 90)]),
            lambda c: c.book_all([("room", 200, 201), ("room", 202, 203)]),
            lambda c: c.split("stay", 2),
            lambda c: c.close("room", 300, 310),
            lambda c: c.set_capacity("room", 2),
            _nested,
        ]
        place = new_place()
        for position, call in enumerate(calls):
            with self.opening(place) as calendar:
                assert calendar.position == position
                call(calendar)
                assert calendar.position == position + 1

    def test_what_changes_nothing_appends_nothing(self, new_place: Places) -> None:
        """A question, a refused command, a block that is undone, a change to what is so already."""
        place = new_place()
        calendar = self._with_room(place)
        calendar.tag("room", "sea")
        found = calendar.position, calendar.digest()
        for call in _refused():
            with pytest.raises(BookcoreError):
                call(calendar)
            assert (calendar.position, calendar.digest()) == found
        idle: list[Callable[[Calendar], Any]] = [
            _undone,
            lambda c: c.tag("room", "sea"),
            lambda c: c.untag("room", "lake"),
            lambda c: c.set_capacity("room", 1),
            lambda c: c.create_index("id", key=lambda resource: resource.id),
            lambda c: c.book_all([]),
            lambda c: c.book_all([("room", 0, 1)], on_conflict="skip"),
            lambda c: c.load([]),
            lambda c: c.find_available(0, 5).ids(),
            lambda c: list(c.bookings()),
            lambda c: c.barrier(),
            lambda c: c.checkpoint(),
            lambda c: c.checkpoint(),
        ]
        for call in idle:
            call(calendar)
            assert (calendar.position, calendar.digest()) == found
        calendar.close()
        with self.opening(place) as again:
            assert (again.position, again.digest()) == found

    @pytest.mark.parametrize("value", [object(), print, [{"a": object()}], 1j], ids=["object", "call", "nested", "complex"])
    def test_a_value_that_no_record_holds_is_refused(self, new_place: Places, value: Any) -> None:
        """In memory as little as in the journal, alone or within a transaction."""
        place = new_place()
        calendar = self._with_room(place)
        found = calendar.position, calendar.digest()
        event, plain = BookingEvent("room", 50, 51, guest=value), BookingEvent("room", 70, 71)

        def in_a_block(calendar: Calendar) -> None:
            with calendar.transaction():
                calendar.book("room", 60, 61)
                calendar.book("room", 61, 62, guest=value)

        calls: list[Callable[[Calendar], Any]] = [
            lambda c: c.book("room", 50, 51, guest=value),
            lambda c: c.add_booking(event),
            lambda c: c.tag("room", "sea", ("label", print)),
            lambda c: c.add_resource(Resource(("id", print))),
            lambda c: c.load([BookingEvent("room", at, at + 1, guest=value) for at in range(100, 140)]),
            lambda c: c.book_all([plain, {"resource": "room", "start": 71, "end": 72, "guest": value}]),
            in_a_block,
            lambda c: c.add_resource(SimpleNamespace(id="van")),
        ]
        for call in calls:
            with pytest.raises(SnapshotTypeError if call is calls[-1] else SnapshotValueError):
                call(calendar)
            assert (calendar.position, calendar.digest()) == found
            calendar.check()
        assert not event.owns_lock
        calendar.add_booking(plain)
        assert calendar.position == found[0] + 1
        calendar.close()
        with self.opening(place) as again:
            assert len(again) == 4

    def test_a_record_that_cannot_be_written_changes_nothing(self, new_place: Places) -> None:
        """The call raises, no subscriber receives it, and the next one is taken when records can be written again."""
        place = new_place()
        calendar = self._with_room(place)
        told: list[Any] = []
        calendar.subscribe(told.append)
        event = BookingEvent("room", 70, 71)
        calls: list[Callable[[Calendar], Any]] = [
            lambda c: c.book("room", 50, 51),
            lambda c: c.add_booking(event),
            lambda c: c.remove_booking(next(c.bookings())),
            lambda c: c.move(next(c.bookings()), start=90, end=91),
            lambda c: c.tag("room", "sea"),
            lambda c: c.add_resource(Resource("new")),
            lambda c: c.close("room", 80, 81),
            lambda c: c.load([BookingEvent("room", at, at + 1) for at in range(100, 140)]),
            _nested,
        ]
        for call in calls:
            found = calendar.position, calendar.digest()
            with self.failing(calendar), pytest.raises(StoreError):
                call(calendar)
            assert (calendar.position, calendar.digest()) == found
            assert told == []
            calendar.check()
            call(calendar)
            assert calendar.position == found[0] + 1
            told.clear()
        digest = calendar.digest()
        assert event.owns_lock
        calendar.close()
        with self.opening(place) as again:
            assert again.digest() == digest

    # -- subscribers -------------------------------------------------------------------------------

    def test_subscribers_hear_of_each_change_once_and_of_none_again(self, new_place: Places) -> None:
        """After its record has its position; opening anew tells nothing; what a subscriber changes is a record as well."""
        place = new_place()
        told: list[tuple[str, int]] = []

        def hear(change: changes.Change) -> None:
            told.append((type(change).__name__, calendar.position))
            if isinstance(change, changes.ResourceAdded):
                calendar.book(change.resource, 1, 2)

        calendar = self.opening(place)
        calendar.subscribe(hear)
        calendar.add_resource(Resource("room"))
        with calendar.transaction():
            calendar.tag("room", "sea")
            calendar.book("room", 3, 4)
        with suppress(ConflictError):
            calendar.book("room", 3, 4)
        assert told == [("ResourceAdded", 1), ("Booked", 2), ("Tagged", 3), ("Booked", 3)]
        calendar.close()
        calendar = self.opening(place)
        calendar.subscribe(hear)
        calendar.checkpoint()
        assert len(told) == 4
        calendar.untag("room", "sea")
        assert told[4:] == [("Untagged", 4)]
        calendar.close()

    @pytest.mark.parametrize("end", ["book", "barrier", "checkpoint", "close"])
    def test_what_a_question_releases_is_in_the_next_record(self, new_place: Places, end: str) -> None:
        """A hold that ran out, and was found to have, stays released, also where no clock says so any more."""
        place, clock = new_place(), Clock(0)
        calendar = self._with_room(place, 0, clock=clock)
        calendar.hold("room", 5, 6, ttl=10)
        calendar.hold("room", 7, 8, until=30)
        calendar.hold("room", 9, 10)
        position = calendar.position
        clock.now = 10
        assert len(calendar) == 2
        assert calendar.position == position
        calendar.book("room", 5, 6) if end == "book" else getattr(calendar, end)()
        digest = calendar.digest()
        if end != "close":
            self.abandon(calendar)
        with self.opening(place, clock=None) as again:
            assert (again.position, again.digest()) == (position + 1, digest)
        with self.opening(place, clock=Clock(30)) as again:
            assert [event.start for event in again.bookings()] == ([5, 9] if end == "book" else [9])

    # -- the end -----------------------------------------------------------------------------------

    def test_a_closed_calendar_answers_and_refuses_changes(self, new_place: Places) -> None:
        """Closing it again does nothing; another one may be open by then."""
        place = new_place()
        with self._with_room(place) as calendar:
            found = calendar.position, calendar.digest()
        with self.opening(place) as other:
            calendar.close()
            assert not calendar.is_available("room", 0, 1)
            for call in (*_refused(), lambda c: c.book("room", 50, 51), lambda c: c.checkpoint(), _nested):
                with pytest.raises(BookcoreError):
                    call(calendar)
                assert (calendar.position, calendar.digest()) == found
                calendar.check()
            other.book("room", 50, 51)
        with self.opening(place) as again:
            assert len(again) == 4

    def test_an_open_block_refuses_what_needs_a_whole_state(self, new_place: Places) -> None:
        """It goes on; a transaction is kept, and a what-if is undone."""
        place = new_place()
        with self._with_room(place) as calendar:
            for block, bookings in ((calendar.what_if, 3), (calendar.transaction, 5)):
                with block():
                    calendar.book("room", 50, 51)
                    for call in (calendar.checkpoint, calendar.close):
                        with pytest.raises(TransactionError, match="a transaction is open"):
                            call()
                    calendar.book("room", 51, 52)
                assert len(calendar) == bookings
            digest = calendar.digest()
        with self.opening(place) as again:
            assert (len(again), again.digest()) == (5, digest)

    @pytest.mark.parametrize("way", ["close", "abandon"])
    def test_threads_lose_nothing_and_change_nothing_twice(self, new_place: Places, way: str) -> None:
        """Each call that returned has its record, while others make checkpoints; refused calls have none."""
        place = new_place()
        calendar = self._with_room(place, 0)
        won: list[int] = []

        def work(number: int) -> None:
            for at in range(20):
                with suppress(ConflictError):
                    calendar.book("room", at, at + 1, id=f"{number} {at}")
                    won.append(at)
                calendar.book("room", 1000 * number + 100 + at, 1000 * number + 101 + at)
            if number % 3 == 0:
                calendar.checkpoint()

        run_together(7, work)
        assert sorted(won) == list(range(20))
        assert (len(calendar), calendar.position) == (160, 161)
        digest = calendar.digest()
        self._left(calendar, way)
        with self.opening(place) as again:
            assert (again.digest(), again.position) == (digest, 161)
            again.check()


def _id_of(resource: Any) -> Any:
    """Return the id under which `every_change` adds a resource: an opened calendar has other objects than the follower."""
    return "other" if resource.id == "own" else resource.id


def _nested(calendar: Calendar) -> None:
    """Change several things as one."""
    with calendar.transaction():
        calendar.book("room", 500, 501)
        with calendar.transaction():
            calendar.book("room", 501, 502)
        with calendar.what_if():
            calendar.book("room", 502, 503)
        calendar.tag("room", "nested")


def _undone(calendar: Calendar) -> None:
    """Change something in blocks that are undone."""
    with suppress(ConflictError), calendar.transaction():
        calendar.book("room", 600, 601)
        calendar.book("room", 600, 601)
    with calendar.what_if():
        calendar.book("room", 600, 601)


def _refused() -> Iterator[Callable[[Calendar], Any]]:
    """Yield commands that a calendar with a resource "room", booked from 0 to 3, refuses."""
    yield lambda c: c.book("room", 0, 1)
    yield lambda c: c.book("room", 5, 4)
    yield lambda c: c.book("nobody", 20, 21)
    yield lambda c: c.book("room", 20, "x")
    yield lambda c: c.book("room", 20, 21, quantity=0)
    yield lambda c: c.remove_booking("nobody")
    yield lambda c: c.move(next(c.bookings()), start=1, end=2)
    yield lambda c: c.remove_resource("room")
    yield lambda c: c.add_resource(Resource("room"))
    yield lambda c: c.load([BookingEvent("room", at, at + 1) for at in (*range(50, 90), 50)])
    yield lambda c: c.book_all([("room", 50, 51), ("room", 50, 51)])
    yield lambda c: c.set_capacity("room", 0)
    yield lambda c: c.confirm("nobody")
