"""The exclusion constraint of PostgreSQL beside a sound build and beside a broken one, on random histories.

    a sound build     the referee refuses nothing of what it books, and all of what it refuses
    a broken build    the referee refuses exactly what overlaps, by a plain list of spans

The histories have all kinds of changes that touch a span: bookings one by one and in bulk, holds that are confirmed,
extended and run out, moves, splits, removals, other quantities, other capacities.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from hypothesis import settings

from bookcore import BookcoreError, Calendar, ConflictError, Resource, changes
from bookcore.persist.journal.errors import RefereeError
from bookcore.persist.shared.databases import check
from bookcore.persist.shared.recorder import SharedRecorder
from bookcore.testing.servers import PostgresServer

psycopg = pytest.importorskip("psycopg")

Open = Callable[..., Calendar]
EXAMPLES = settings().max_examples
PARTS, WRITES = (10, 100_000) if EXAMPLES > 1000 else (1, 1250 * EXAMPLES)
"""How many histories the sound build has, and how many changes it makes in each."""
ROOMS = [f"room {number}" for number in range(60)]
MOST = 600
"""How many bookings of a room there may be, about."""
AT_ONCE = 250
"""How many steps a transaction has, and requests a bulk."""
KINDS = {
    changes.Booked, changes.Released, changes.Confirmed, changes.Extended, changes.Moved, changes.Changed,
    changes.CapacitySet,
}  # fmt: skip

REFUSED = """
INSERT INTO bookcore.booking (calendar, id, number, resource, class, numbers, quantity, held, exclusive, active)
SELECT %(name)s, 'refused ' || number, 0, resource, 'BookingEvent', numrange(low, high), 1, false, true, true
FROM unnest(%(rooms)s::text[], %(lows)s::int[], %(highs)s::int[]) WITH ORDINALITY AS asked (resource, low, high, number)
WHERE (SELECT exclusive FROM bookcore.resource r WHERE r.calendar = %(name)s AND r.id = asked.resource)
ON CONFLICT DO NOTHING RETURNING resource, numbers
"""
"""What the referee lets pass of spans that the calendar has refused."""


@pytest.fixture
def address(postgres_server: PostgresServer, name: str) -> str:
    """Return the address of that calendar."""
    return f"{postgres_server.dsn()}&calendar={name.replace(' ', '%20')}"


class History:
    """Random steps of a calendar. ``writes`` is how many changes they have made, ``kinds`` how many of each class."""

    def __init__(self, calendar: Calendar, seed: str) -> None:
        self.calendar, self.draw, self.now = calendar, random.Random(seed), 0
        self.kinds: Counter[type] = Counter()
        self.expired = self.judged = 0
        self._ids: list[Any] = []
        self._held: deque[Any] = deque(["nobody"], 50)
        self._named = count()
        for room in ROOMS:
            calendar.add_resource(Resource(room, 1 + room.endswith("7")))
        calendar.subscribe(self._note)

    @property
    def writes(self) -> int:
        return sum(self.kinds.values())

    def clock(self) -> int:
        return self.now

    def _note(self, change: changes.Change) -> None:
        self.kinds[type(change)] += 1
        self.expired += isinstance(change, changes.Released) and change.expired

    def span(self) -> tuple[str, int, int]:
        start = self.draw.randrange(4 * MOST)
        return self.draw.choice(ROOMS), start, start + self.draw.randrange(1, 7)

    def steps(self) -> None:
        """Make some changes in one transaction, and let time go on."""
        with self.calendar.transaction():
            for _ in range(AT_ONCE):
                try:
                    self._step()
                except BookcoreError as error:
                    assert not isinstance(error, RefereeError)
        self.now += 1

    def _step(self) -> None:
        draw, calendar, ids = self.draw, self.calendar, self._ids
        room, start, end = self.span()
        at, number = draw.randrange(len(ids) or 1), f"n{next(self._named)}"
        one = ids[at] if ids else None
        kind = draw.randrange(24)
        if kind < 6:
            calendar.book(room, start, end, id=number)
            ids.append(number)
        elif kind < 10:
            calendar.hold(room, start, end, until=self.now + draw.randrange(1, 5), id=number)
            ids.append(number)
            self._held.append(number)
        elif kind < 11:
            calendar.confirm(draw.choice(self._held))
        elif kind < 12:
            calendar.extend(draw.choice(self._held), until=self.now + 6)
        elif kind < 15:
            calendar.move(one, start=start, end=end)
        elif kind < 17:
            calendar.move(one, resource=room)
        elif kind < 19:
            ids += [part.id for part in calendar.split(one, calendar.get(one).start + 1)]
        elif kind < 20:
            calendar.change(one, quantity=draw.randrange(1, 3))
        elif kind < 21 and not draw.randrange(3):
            calendar.set_capacity(draw.choice(ROOMS[::5]), draw.randrange(1, 3))
        elif ids:
            ids[at] = ids[-1]
            ids.pop()
            calendar.remove_booking(one)

    def bulk(self) -> list[tuple[str, int, int]]:
        """Book many at once, as far as there is room; return what was refused."""
        report = self.calendar.book_all([self.span() for _ in range(AT_ONCE)], on_conflict=ConflictError)
        self._ids += [event.id for event in report.booked]
        return [refusal.request for refusal in report.refused]


def passed(admin: Any, name: str, refused: list[tuple[str, int, int]]) -> list[Any]:
    """Return what the referee would take of spans that the calendar has refused. Nothing is written."""
    rooms, lows, highs = (list(column) for column in zip(*refused, strict=True)) if refused else ([], [], [])
    with admin.transaction(force_rollback=True):
        found: list[Any] = admin.execute(REFUSED, {"name": name, "rooms": rooms, "lows": lows, "highs": highs}).fetchall()
    return found


@pytest.mark.parametrize("part", range(PARTS))
def test_a_sound_build_and_the_referee_never_disagree(part: int, opened: Open, admin: Any, name: str) -> None:
    """Neither on what is booked nor on what is refused; in the end the table has what the calendar has."""
    now = [0]
    calendar = opened(clock=lambda: now[0])
    history = History(calendar, f"sound {part}")
    while history.writes < WRITES:
        history.steps()
        now[0] = history.now
        refused = history.bulk()
        assert passed(admin, name, refused) == []
        history.judged += len(refused)
    assert set(history.kinds) >= KINDS
    assert min(history.kinds[kind] for kind in KINDS) > WRITES // 2000
    assert history.expired > WRITES // 100
    assert history.judged > WRITES // 100
    ask = """SELECT id, resource, lower(numbers)::int, upper(numbers)::int FROM bookcore.booking
             WHERE calendar = %s AND active"""
    rows = admin.execute(ask, (name,)).fetchall()
    assert sorted(rows) == sorted((str(e.id), e.resource.id, e.start, e.end) for e in calendar.bookings())
    judged = admin.execute("SELECT count(*) FROM bookcore.booking WHERE calendar = %s AND active AND exclusive", (name,))
    assert judged.fetchone()[0] > len(rows) // 2


def overlapping(spans: list[tuple[str, int, int]], asked: tuple[str, int, int]) -> bool:
    return any(room == asked[0] and start < asked[2] and asked[1] < end for room, start, end in spans)


def test_of_what_a_broken_build_books_the_referee_refuses_what_overlaps(
    opened: Open, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that reads nothing of the others says yes to what they have booked: that, and nothing else, is refused."""
    sound, broken = opened(), opened()
    for room in ROOMS[:5]:
        sound.add_resource(Resource(room))
    broken.catch_up()
    apply = SharedRecorder.apply

    def skip(self: Any, news: Any, *, afresh: bool = False) -> None:
        if self is broken._recorder:
            self.place = [self.place, *(entry.place for entry in news)][-1]
        else:
            apply(self, news, afresh=afresh)

    monkeypatch.setattr(SharedRecorder, "apply", skip)
    draw, there, own = random.Random("broken"), list[tuple[str, int, int]](), list[tuple[str, int, int]]()
    outcomes: Counter[str] = Counter()
    for number in range(20 * EXAMPLES):
        start = draw.randrange(400)
        asked = draw.choice(ROOMS[:5]), start, start + draw.randrange(1, 7)
        if number % 2:
            try:
                sound.book(*asked, id=f"sound {number}")
            except ConflictError:
                assert overlapping(there + own, asked)
            else:
                assert not overlapping(there + own, asked)
                there.append(asked)
            continue
        broken._engine.state.ledger.last = sound._engine.state.ledger.last + len(own)  # so that spans alone are wrong
        right = "ConflictError" if overlapping(own, asked) else "RefereeError" if overlapping(there, asked) else "booked"
        try:
            broken.book(*asked, id=f"broken {number}")
        except (ConflictError, RefereeError) as error:
            assert type(error).__name__ == right
        else:
            assert right == "booked"
            own.append(asked)
        outcomes[right] += 1
    assert min(outcomes.values()) > EXAMPLES // 2
    assert len(outcomes) == 3
    assert check(address).is_whole
    sound.catch_up()
    assert len(sound) == len(there) + len(own)
