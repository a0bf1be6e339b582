"""Histories dealt out to several calendars of one journal: at one position all are the same."""

from __future__ import annotations

import json
import random
from ast import literal_eval
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from operator import attrgetter
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import settings

from bookcore import BookcoreError, BookingEvent, Calendar, Closure, Resource, changes
from bookcore.hours import Hours
from bookcore.testing.parallel import line_of, started, tell

FAMILIES = ("int", "Decimal", "str", "datetime", "zone", "tuple")
KINDS = set(changes.__all__) - {"Change", "Held", "IndexCreated", "IndexDropped", "Reindexed"}
"""The changes that are in records: an index is each process's own, and the inverse of `Confirmed` nobody receives."""


class Dealt:
    """Stands for a calendar; each call goes to the one whose turn it is. Closures are brought to it by their ids."""

    def __init__(self, calendars: list[Calendar]) -> None:
        self.calendars, self.turn = calendars, 0

    def next(self) -> None:
        """Let the next calendar have its turn."""
        self.turn = (self.turn + 1) % len(self.calendars)

    def __len__(self) -> int:
        return len(self.calendars[self.turn])

    def __getattr__(self, name: str) -> Any:
        return getattr(self.calendars[self.turn], name)

    def reopen(self, closure: Closure) -> None:
        calendar = self.calendars[self.turn]
        calendar.catch_up()
        calendar.reopen(next(each for each in calendar.closures() if each.id == closure.id))

    def closures(self) -> Any:
        return _Ids(closure.id for closure in self.calendars[self.turn].closures())

    def add_resource(self, resource: Any, **options: Any) -> Any:
        return self.calendars[self.turn].add_resource(resource, **options)


class _Ids(set[int]):
    def __contains__(self, closure: Any) -> bool:
        return super().__contains__(closure.id)


def check_tables(address: str) -> None:
    """Raise AssertionError unless the tables of a database say what its records say."""
    if address.startswith("postgresql"):
        from bookcore.persist.shared.databases import check

        found = check(address)
        assert found.is_whole, (found.faults, found.differences)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_history_dealt_to_three_calendars_makes_one_state(
    name: str, world: SimpleNamespace, opened: Callable[..., Calendar], address: str
) -> None:
    """After every step all four have the digest of a calendar that did everything alone; a newcomer as well."""
    key = world.families[name]
    clock, twin_clock = world.Clock(key(0)), world.Clock(key(0))
    twin = Calendar(clock=twin_clock)
    calendars = [opened(clock=clock) for _ in range(3)]
    dealt = Dealt(calendars)
    steps = zip(world.history(dealt, clock, key), world.history(twin, twin_clock, key), strict=True)
    for number, (step, _) in enumerate(steps):
        if number % 7 == 3:
            dealt.checkpoint()
        for calendar in calendars:
            calendar.catch_up()
            assert calendar.digest() == twin.digest(), step
            calendar.check()
        if number % 5 == 0:
            newcomer = opened(clock=clock)
            assert newcomer.digest() == twin.digest(), step
            calendars[number // 5 % 3] = newcomer
        dealt.next()
    dealt.barrier()
    for calendar in calendars:
        calendar.catch_up()
    assert len({calendar.position for calendar in calendars}) == 1
    check_tables(address)


def at_hour(number: int) -> datetime:
    """Return an instant, so many hours after a Monday has begun."""
    return datetime(2026, 5, 4) + timedelta(hours=number)


class Chance:
    """Steps drawn at random, by ids alone, so that each can be done to any calendar, also to that of another process.

    A seed that is odd has instants as keys, so that opening hours can be set, and another one numbers.
    """

    def __init__(self, seed: int) -> None:
        self.seed, self.now = seed, 0
        self.key: Callable[[int], Any] = at_hour if seed % 2 else int

    def clock(self) -> int:
        return self.now

    def step(self, number: int, ids: list[Any], held: list[Any]) -> Callable[[Calendar], Any]:
        """Return the step that has this number. *ids* are those of the active bookings, *held* those of the holds."""
        draw, key = random.Random(f"{self.seed} {number}"), self.key
        room, first = draw.choice("abcde"), draw.randrange(60)
        last = first + draw.randrange(1, 12)
        start, end, buffer = key(first), key(last), key(1) - key(0)
        one, hold = (draw.choice(these) if these and draw.random() < 0.95 else "nobody" for these in (ids, held))
        named = f"n{number}" if draw.random() < 0.3 else None
        until = self.now + draw.randrange(1, 9)
        label, drawn = draw.choice(["sea", "sun"]), draw.randrange(100)
        hours = None if drawn % 2 else Hours({"mon-fri": "06:00-20:00"})
        steps: list[Callable[[Any], Any]] = [
            lambda c: c.book(room, start, end, id=named).id,
            lambda c: c.book(room, start, end, id=named, quantity=1 + drawn % 2, guest=drawn).id,
            lambda c: c.hold(room, start, end, id=named, until=until).id,
            lambda c: c.hold(room, start, end, id=named, until=until).id,
            lambda c: c.confirm(hold).id,
            lambda c: c.extend(hold, until=until + 5).until,
            lambda c: c.move(one, start=start, end=end).id,
            lambda c: c.move(one, resource=room).resource.id,
            lambda c: c.change(one, quantity=1 + drawn % 3, note=drawn).quantity,
            lambda c: [part.id for part in c.split(one, start)],
            lambda c: c.remove_booking(one).id,
            lambda c: c.close(room, start, end, "paint").id,
            lambda c: c.reopen(c.closures()[drawn % len(c.closures())]) if c.closures() else None,
            lambda c: c.set_hours(room, hours),
            lambda c: c.set_capacity(room, 1 + drawn % 3),
            lambda c: c.tag(room, label),
            lambda c: c.untag(room, label),
            lambda c: c.add_resource(Resource(room, 1 + drawn % 2)).id,
            lambda c: c.add_resource(Resource(room, after=buffer)).id,
            lambda c: c.remove_resource(room).id,
            lambda c: c.book_any(list("abcde"), start, end, strategy="best_fit", id=named).resource.id,
            lambda c: c.load([BookingEvent(room, key(70 + drawn + at), key(71 + drawn + at)) for at in range(3)]),
            lambda c: len(c.book_all([(room, start, end), (room, start, key(last + 1))], on_conflict="skip").booked),
            lambda c: self.block(c, room, start, end, key(last + 2), one),
            lambda c: self.trial(c, room, start, end),
        ]
        return draw.choice(steps)

    @staticmethod
    def block(calendar: Calendar, room: str, start: Any, end: Any, later: Any, one: Any) -> Any:
        with calendar.transaction():
            made = calendar.book(room, start, end).id
            calendar.remove_booking(one)
            return made, calendar.hold(room, end, later).id

    @staticmethod
    def trial(calendar: Calendar, room: str, start: Any, end: Any) -> Any:
        with calendar.what_if():
            return calendar.book(room, start, end).id


def facts(change: changes.Change) -> tuple[Any, ...]:
    """Return what a change says, without the numbers that are each calendar's own."""
    names = "event", "before", "after", "closure", "resource", "label", "capacity", "until"
    said = {name: getattr(change, name) for name in names if hasattr(change, name)}
    return type(change).__name__, *((name, getattr(value, "id", value)) for name, value in said.items())


def outcome(step: Callable[[Calendar], Any], calendar: Calendar) -> Any:
    """Return what a step returned, or the class of the error."""
    try:
        return step(calendar)
    except BookcoreError as error:
        return type(error).__name__


@pytest.mark.parametrize("seed", range(8))
def test_random_steps_dealt_to_three_calendars_have_the_outcomes_of_one(
    seed: int, opened: Callable[..., Calendar], address: str
) -> None:
    """Each step is done by one of three and by a calendar alone; results, digests and answers agree; some are reopened."""
    chance, draw = Chance(seed), random.Random(seed)
    twin = Calendar(clock=chance.clock)
    calendars = [opened(clock=chance.clock) for _ in range(3)]
    heard: list[list[Any]] = [[], [], []]
    for calendar, told in zip(calendars, heard, strict=True):
        calendar.subscribe(lambda change, told=told: told.append(facts(change)))  # type: ignore[misc]
    done = 0
    for number in range(max(160, 5 * settings().max_examples)):
        step = chance.step(number, *ids_of(twin))
        at = draw.randrange(3)
        calendars[at].catch_up()  # a what-if asks memory as it stands
        right = outcome(step, twin)
        assert outcome(step, calendars[at]) == right, number
        done += type(right) is not str or right in "abcde"
        if draw.random() < 0.3:
            chance.now += 1
        if number % 6 == 0:
            right = answers(twin, chance, number)
            for calendar in calendars:
                calendar.catch_up()
                calendar.check()
                assert answers(calendar, chance, number) == right
        if number % 40 == 39:
            calendars[at].checkpoint()
            newcomer = opened(clock=chance.clock)
            assert newcomer.digest() == twin.digest()
            newcomer.close()
    assert done > 40
    calendars[0].barrier()
    for calendar in calendars:
        calendar.catch_up()
    assert heard[0] == heard[1] == heard[2]
    check_tables(address)


@pytest.mark.parametrize("address", ["postgresql"], indirect=True)
@pytest.mark.parametrize("seed", range(2))
def test_random_steps_that_are_lost_are_taken_back_in_each_calendar(
    seed: int, opened: Callable[..., Calendar], address: str, lose: Callable[[str, int], None]
) -> None:
    """Again and again the last records are lost and others come; all answer as one that is opened anew, and go on as it.

    A calendar that follows by the changes has the same bookings then. Its numbers are its own, as ever.
    """
    chance, draw = Chance(seed), random.Random(seed)
    old, other = (opened(clock=chance.clock) for _ in range(2))
    follower = Calendar()
    old.subscribe(follower.apply)
    number, reloads = 0, 0
    for _ in range(max(5, settings().max_examples // 10)):
        writers = [old, other]
        for lost in True, False:
            for _ in range(draw.randrange(30)):
                number += 1
                writer = draw.choice(writers)
                writer.catch_up()
                outcome(chance.step(number, *ids_of(writer)), writer)
                chance.now += draw.random() < 0.2
                if draw.random() < 0.05:
                    writer.checkpoint()
            if lost:
                for calendar in old, other:
                    calendar.barrier()
                    calendar.catch_up()
                writers = [opened(clock=chance.clock)]
                lose(address, max(old._recorder.journal.origin.position, old.position - draw.randrange(20)))
        newcomer = opened(clock=chance.clock)
        for calendar in old, other:
            before = calendar._recorder._histories
            calendar.catch_up()
            calendar.barrier()
            calendar.check()
            newcomer.catch_up()
            assert answers(calendar, chance, number) == answers(newcomer, chance, number)
            reloads += calendar._recorder._histories - before
        assert bookings_of(follower) == bookings_of(old)
        assert follower.resources.ids() == old.resources.ids()
        follower.check()
    assert reloads >= 5
    check_tables(address)


def bookings_of(calendar: Calendar) -> list[Any]:
    """Return what a calendar says of its bookings, in no order of its own."""
    facts = attrgetter("id", "resource.id", "start", "end", "quantity", "fields", "status")
    return sorted(map(facts, calendar.bookings()), key=repr)


def ids_of(calendar: Calendar) -> tuple[list[Any], list[Any]]:
    """Return the ids of all active bookings, and those of the holds among them."""
    bookings = list(calendar.bookings())
    return [event.id for event in bookings], [event.id for event in bookings if event.status == "held"]


def answers(calendar: Calendar, chance: Chance, number: int) -> Any:
    """Return what a calendar has and what it finds."""
    start, end = chance.key(number % 60), chance.key(number % 60 + 3)
    return [event.id for event in calendar.bookings()], calendar.find_available(start, end).ids(), calendar.digest()


PROCESS = """
import json, sys
from importlib.util import module_from_spec, spec_from_file_location
from bookcore import Calendar
address, file, seed = sys.argv[1:]
spec = spec_from_file_location("histories", file)
histories = module_from_spec(spec)
spec.loader.exec_module(histories)
chance = histories.Chance(int(seed))
calendar = Calendar.open(address, clock=chance.clock, timeout=60, sync="never")
for line in sys.stdin:
    number, chance.now, *ids = json.loads(line)
    calendar.catch_up()
    told = [repr(histories.outcome(chance.step(number, *ids), calendar))] if ids else []
    calendar.check()
    print([calendar.position, *told, *histories.answers(calendar, chance, number)], flush=True)
"""


def test_random_steps_dealt_to_three_processes_have_the_outcomes_of_one(address: str) -> None:
    """Each step is done by one of three and by a calendar alone; at equal positions all answer the same."""
    seed = 105
    chance, draw, kinds = Chance(seed), random.Random(seed), set[str]()
    twin = Calendar(clock=chance.clock)
    twin.subscribe(lambda change: kinds.add(type(change).__name__))
    with ExitStack() as stack:
        processes = [stack.enter_context(started(PROCESS, address, __file__, seed)) for _ in range(3)]
        for number in range(max(200, 5 * settings().max_examples)):  # 10,000 if many examples are asked for
            ids = ids_of(twin)
            process = draw.choice(processes)
            tell(process, json.dumps([number, chance.now, *ids]))
            right = repr(outcome(chance.step(number, *ids), twin))
            position, *told = literal_eval(line_of(process))
            assert told == [right, *answers(twin, chance, number)], number
            if draw.random() < 0.3:
                chance.now += 1
            if number % 6 == 0:
                for other in processes:
                    tell(other, json.dumps([number, chance.now]))
                right = answers(twin, chance, number)
                assert [literal_eval(line_of(other)) for other in processes] == [[position, *right]] * 3
    assert kinds == KINDS
    check_tables(address)
