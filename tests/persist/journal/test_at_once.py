"""Bookings of others are applied many at once: as they are applied one by one, with a log that somebody reads."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from contextlib import nullcontext, suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import settings

from bookcore import BookcoreError, Calendar, MemoryStore, Resource, changes
from bookcore.engine.state import CalendarState
from bookcore.model.keys import KeyFamily
from bookcore.persist.codec.columns import encode_column
from bookcore.persist.journal import reading, records, runs
from bookcore.persist.journal.errors import JournalDamagedError, JournalError
from bookcore.persist.journal.records import Encoder, Kind, Replay
from bookcore.persist.journal.short import several
from bookcore.persist.shared.seam import Place, Stored
from bookcore.persist.snapshot.classes import handed_in
from bookcore.stores.tree import TreeStore
from bookcore.testing.cutting import cut_off
from bookcore.testing.sizes import SMALL

NOON = datetime(2026, 7, 1, 12)
KEYS: dict[str, Callable[[int], Any]] = {
    "int": int,
    "naive": lambda n: NOON + n * timedelta(hours=1),
    "UTC": lambda n: (NOON + n * timedelta(hours=1)).replace(tzinfo=UTC),
    "text": lambda n: f"{n:06d}",
    "float": float,
}
ROOMS = "abcde"
DEEP = settings().max_examples > 40


class Leader:
    """A calendar of which each command is a record."""

    def __init__(self, bounds: Literal["[]", "[)"] = "[)") -> None:
        self.calendar = Calendar(bounds=bounds, clock=lambda: 0)
        self.entries: list[Stored] = []
        self._noted: list[changes.Change] = []
        self.calendar.subscribe(self._noted.append)
        self._encoder = Encoder(self.calendar._engine.state, "here", handed_in("here", []))

    def record(self, data: bytes | None = None) -> None:
        """Make a record of what was done since, or of these bytes."""
        if data is None:
            data = self._encoder.encode(self._noted)
            self._noted.clear()
        if data:
            self.entries.append(Stored(Place(len(self.entries) + 1, 0), data))


def grown(leader: Leader, rng: random.Random, key: Callable[[int], Any], steps: int) -> Leader:
    """Do so many things at random: mostly runs of plain bookings, and transactions of them."""
    calendar = leader.calendar
    for name in ROOMS:
        calendar.add_resource(Resource(name))
    calendar.add_resource(Resource("pool", capacity=3))
    calendar.set_capacity("e", 2)
    calendar.close("d", key(90), key(95))
    leader.record()
    booked: list[Any] = []

    def book(**options: Any) -> None:
        low, where = rng.randrange(400), rng.choice([*ROOMS, "pool"])
        with suppress(BookcoreError):
            booked.append(calendar.book(where, key(low), key(low + rng.randrange(1, 4)), **options).id)

    def book_many(odd: float) -> None:
        with calendar.transaction():
            for _ in range(rng.randrange(1, 30)):
                if rng.random() < odd:
                    book(quantity=2) if rng.random() < 0.3 else book(guest=1)
                elif rng.random() < odd and booked:
                    calendar.remove_booking(booked.pop())
                else:
                    book()

    def others() -> None:
        one = rng.choice(booked or ["nobody"])
        with suppress(BookcoreError):
            chosen: Callable[[], Any] = rng.choice([
                lambda: booked.append(calendar.hold("a", key(500), key(501)).id),
                lambda: calendar.move(one, resource="b"),
                lambda: calendar.tag("a", f"{rng.random()}"),
                lambda: book(id=f"named {rng.random()}"),
                lambda: calendar.remove_booking(one),
            ])  # fmt: skip
            chosen()

    for _ in range(steps):
        kind = rng.random()
        if kind < 0.6:
            for _ in range(rng.randrange(1, 30)):
                book()
                leader.record()
        elif kind < 0.8:
            book_many(0 if kind < 0.7 else 0.1)
        else:
            for _ in range(rng.randrange(6)):
                others()
                leader.record()
        leader.record()
    return leader


def facts(change: Any) -> tuple[Any, ...]:
    """Return what a subscriber can tell of a change, but for the calendar that it is of."""
    event = getattr(change, "event", None) or getattr(change, "after", None)
    if event is None:
        return (type(change),)
    said = event.id, event.resource.id, event.start, event.end, event.quantity, dict(event.fields)
    rest = [getattr(change, name, None) for name in ("held", "until", "number", "ran_out", "expired", "indexed")]
    return type(change), said, type(event.start), getattr(event.start, "tzinfo", 0), *rest


class Ours:
    """A journal to which nothing has to be appended, because all of it are records of others."""

    def append(self, changes: object) -> None:
        """Do nothing."""

    def wait(self) -> None:
        """Do nothing."""


class Copy:
    """A calendar to which records are applied, as to a shared one: each time as a whole. Somebody *hears* of it or not."""

    def __init__(self, bounds: Literal["[]", "[)"] = "[)", store: Any = None, hears: bool = True) -> None:
        self.calendar = Calendar(bounds=bounds, store=store)
        self.heard: list[Any] = []
        self.state = self.calendar._engine.state
        if hears:
            self.calendar.subscribe(self.heard.append)
        else:
            self.state.log.attach(Ours(), provisional=True)
        self._replay = Replay(self.state, handed_in("here", []))

    def apply(self, entries: list[Stored], keep: bool = True) -> None:
        """Apply records, or only try that."""
        found = [entry.record("here") for entry in entries]
        self.calendar._gate.run(self.state.undoing, keep, reading.apply_all, self._replay, found)

    def found(self) -> tuple[Any, ...]:
        """Return all that there is to be known."""
        ledger = self.state.ledger
        locks = {seq: ledger.event(seq)._lock for seq in ledger.owners}
        counted = len(self.calendar), ledger.last
        return self.calendar.digest(), *counted, locks, set(ledger.objects), list(map(facts, self.heard))


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return how many bookings each run had that was applied at once."""
    taken: list[int] = []
    load = runs._load

    def counted(state: CalendarState, found: Any, owners: Any) -> int:
        taken.append(load(state, found, owners))
        return taken[-1]

    monkeypatch.setattr(runs, "_load", counted)
    return taken


def set_fewest(monkeypatch: pytest.MonkeyPatch, fewest: int) -> None:
    """Have so many bookings applied at once, at least."""
    for module in (records, reading):
        monkeypatch.setattr(module, "FEWEST", fewest)


@pytest.mark.parametrize("name", KEYS)
def test_what_is_applied_at_once_is_what_is_applied_one_by_one(
    name: str, loads: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One digest, equal numbers and locks, and subscribers hear the same in the same order; also if all is undone before."""
    for seed in range(max(4, settings().max_examples // 7)):
        bounds: Literal["[)", "[]"] = "[]" if seed % 2 else "[)"
        rng = random.Random(f"{name} {seed}")
        leader = grown(Leader(bounds), rng, KEYS[name], 12)
        copies = [Copy(bounds, MemoryStore(SMALL)), Copy(bounds, TreeStore()), Copy(bounds, hears=False), Copy(bounds)]
        at = 0
        while at < len(leader.entries):
            news = leader.entries[at : (at := at + rng.randrange(1, 60))]
            is_tried = rng.random() < 0.3
            for number, copy in enumerate(copies):
                set_fewest(monkeypatch, 2 if number < 3 else 1 << 30)
                if is_tried:
                    before = copy.calendar.digest(), len(copy.heard)
                    copy.apply(news, keep=False)
                    assert (copy.calendar.digest(), len(copy.heard)) == before
                copy.apply(news)
                copy.calendar.check()
        found = [copy.found() for copy in copies]
        assert found[0][0] == leader.calendar.digest(), seed
        assert found[0] == found[1] == found[3], seed
        assert found[2] == (*found[3][:-1], []), seed
        for copy in copies:
            copy.calendar.book("a", KEYS[name](9000), KEYS[name](9001))
    assert (sum(loads) > 100) is (name != "float")


ROW = (Kind.BOOKED, "room", 0, False, None, None, ":BookingEvent", 0, 0, 0, 1, None)


def row(number: int, low: Any, high: Any, **others: Any) -> tuple[Any, ...]:
    """Return the row of a plain booking, or with the facts at other places changed."""
    facts = list(ROW)
    facts[2], facts[7], facts[8], facts[9] = number, number, low, high
    for at, fact in others.items():
        facts[int(at[1:])] = fact
    return tuple(facts)


def short(number: int, low: int, high: int, where: str = "room") -> bytes:
    """Return the record of a plain booking."""
    return struct.pack("<Qqq", 3 << 56 | number, low, high) + where.encode()


def begun(copy: Copy) -> list[Stored]:
    """Register a room and a pool, and book the room."""
    leader = Leader()
    leader.calendar.add_resource(Resource("room"))
    leader.record()
    leader.calendar.add_resource(Resource("pool", capacity=2))
    leader.record()
    leader.calendar.add_resource(Resource("slow", after=timedelta(1)))
    leader.record()
    leader.calendar.book("room", -5, -4)
    leader.record()
    copy.apply(leader.entries)
    copy.heard.clear()
    return leader.entries


def entries(*data: bytes) -> list[Stored]:
    """Return the entries of records after those of `begun`."""
    return [Stored(Place(at, 0), each) for at, each in enumerate(data, 5)]


WRONG = {
    "in the place of one that was there": (22, -5, -4, "room"), "no such resource": (22, 900, 901, "nowhere"),
    "in the place of one that came with it": (22, 71, 72, "room"), "a number that was given": (1, 900, 901, "room"),
    "ends before it starts": (22, 901, 900, "room"), "a buffer of another kind": (22, 900, 901, "slow"),
}  # fmt: skip


# the other store does not look whether there is room
@pytest.mark.parametrize(("store", "wrong"), [*((MemoryStore, wrong) for wrong in WRONG), (TreeStore, "no such resource")])
def test_a_record_in_the_midst_that_does_not_follow_is_named(
    store: Callable[[], Any], wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one by one. Nothing of what came with it is left, and nobody hears of it."""
    number, low, high, where = WRONG[wrong]
    good = [short(n, 10 * n, 10 * n + 5) for n in range(2, 40)]
    in_a_row = [row(n, 10 * n, 10 * n + 5) for n in range(2, 40)]
    for data, at in (
        ([*good[:20], short(number, low, high, where), *good[21:]], 25),
        ([encode_column([*in_a_row[:20], row(number, low, high, _1=where), *in_a_row[21:]])], 5),
        ([several([*good[:20], short(number, low, high, where), *good[21:]])], 5),
    ):
        said = set()
        for fewest, hears in ((2, True), (2, False), (1 << 30, True)):
            set_fewest(monkeypatch, fewest)
            copy = Copy(store=store(), hears=hears)
            begun(copy)
            before = copy.found()
            with pytest.raises(JournalDamagedError, match=f"here, record {at}: a record that") as told:
                copy.apply(entries(*data))
            said.add(str(told.value))
            copy.calendar.check()
            assert copy.found()[:3] == before[:3]
            assert copy.heard == []
            copy.apply(entries(*good))  # the next attempt, when the damage is repaired
            assert len(copy.calendar) == 39
        assert len(said) == 1


@pytest.mark.parametrize("hears", [True, False])
def test_bookings_around_a_removal_in_one_record_are_applied_at_once(hears: bool, loads: list[int]) -> None:
    """A removal of which somebody may hear is applied in its place."""
    bookings = [short(n, 10 * n, 10 * n + 5) for n in range(2, 40)]
    copy = Copy(hears=hears)
    begun(copy)
    copy.apply(entries(several([*bookings[:20], struct.pack("<Q", 8 << 56 | 7), *bookings[20:]])))
    copy.calendar.check()
    assert (len(copy.calendar), loads) == (38, [20, 18])
    kinds = [changes.Booked] * 20 + [changes.Released] + [changes.Booked] * 18
    assert [type(change) for change in copy.heard] == kinds * hears


ODD: dict[str, dict[str, Any]] = {
    "held": {"_3": True}, "held by a number": {"_3": 0}, "a deadline": {"_4": 0}, "an expired hold": {"_5": 0},
    "a class": {"_6": ":Resource"}, "an id": {"_7": "mine"}, "an id of another type": {"_7": 22.0},
    "units": {"_10": 2}, "units of another type": {"_10": True},
    "fields": {"_11": {"guest": 1}}, "another type": {"_8": True}, "no start": {"_8": None}, "a float": {"_8": 219.5},
}  # fmt: skip


@pytest.mark.parametrize("odd", ODD)
def test_what_is_no_plain_booking_is_applied_one_by_one(
    odd: str, loads: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever comes of it, also what is no record that a calendar writes."""
    rows = [row(n, 10 * n, 10 * n + 5, **(ODD[odd] if n == 22 else {})) for n in range(2, 40)]
    found = []
    for fewest in (2, 1 << 30):
        set_fewest(monkeypatch, fewest)
        copy, error = Copy(), ""
        begun(copy)
        try:
            copy.apply(entries(encode_column(rows)))
        except BookcoreError as exc:
            error = str(exc)
        copy.calendar.check()
        found.append((error, *copy.found()))
    assert found[0] == found[1]
    assert loads == []


ZERO = timezone(timedelta(0), "Z")


@pytest.mark.parametrize("key", [
    lambda at: (NOON + at * timedelta(hours=1)).replace(tzinfo=ZERO),
    lambda at: (NOON + at * timedelta(hours=1)).replace(fold=1),
    lambda at: (NOON + at * timedelta(hours=1)).replace(tzinfo=UTC if at % 20 else None),
])  # fmt: skip
def test_datetimes_that_are_not_as_usual_stay_as_they_are(
    key: Callable[[int], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In another zone of the same time, in a repeated hour, some with a zone: as one by one."""
    found = []
    for fewest in (2, 1 << 30):
        set_fewest(monkeypatch, fewest)
        copy, error = Copy(), ""
        begun(copy)
        copy.apply(entries(struct.pack("<Q", 8 << 56 | 1)))  # the calendar takes keys of any family
        try:
            copy.apply(entries(encode_column([row(n, key(10 * n), key(10 * n + 5)) for n in range(2, 40)])))
        except BookcoreError as exc:
            error = str(exc)
        copy.calendar.check()
        found.append((error, *copy.found()))
    assert found[0] == found[1]


@pytest.mark.parametrize("where", ["room", "pool", "room beside no pool", "room, and nobody hears of it"])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_is_cut_off_is_there_as_a_whole_or_not_at_all(
    where: str, loads: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By Ctrl-C, at every place; subscribers hear of all or of nothing."""
    set_fewest(monkeypatch, 2)
    room, hears = where[:4], "nobody" not in where
    news = entries(*[short(n, 10 * n, 10 * n + 5, room) for n in range(2, 6)])
    news += entries(encode_column([row(n, 10 * n, 10 * n + 5, _1=room) for n in range(6, 9)]))

    def made() -> Copy:
        copy = Copy(hears=hears)
        begun(copy)
        if "no pool" in where:
            copy.calendar.remove_resource("pool")
            copy.calendar.remove_resource("slow")
        copy.heard.clear()
        return copy

    copy = made()
    places = cut_off(lambda: copy.apply(news), 1 << 60)
    assert loads == [4, 3]
    nths = range(1, places + 1)
    for nth in nths if DEEP else sorted(random.Random(where).sample(nths, 60)):
        copy = made()
        cut_off(lambda: copy.apply(news), nth)  # noqa: B023 - called at once
        copy.calendar.check()
        assert len(copy.calendar) in (1, 8)
        copy.apply(news if len(copy.calendar) == 1 else [])
        copy.calendar.check()
        assert len(copy.calendar) == 8
        if hears:
            copy.calendar.book("room", 9000, 9001)
        assert len(copy.heard) == 8 * hears, nth


@pytest.mark.parametrize("hears", [True, False])
def test_bookings_whose_kind_of_key_is_not_known_yet_are_cut_off(hears: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a calendar without keys: nothing of them is left."""
    set_fewest(monkeypatch, 2)
    copy = Copy(hears=hears)
    begun(copy)
    copy.calendar.remove_booking(1)
    copy.heard.clear()
    news = entries(*[short(n, 10 * n, 10 * n + 5, "pool") for n in range(2, 6)])

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(KeyFamily, "learn", interrupted)
        with pytest.raises(KeyboardInterrupt):
            copy.apply(news)
    copy.calendar.check()
    assert len(copy.calendar) == len(copy.heard) == 0
    copy.apply(news)
    copy.calendar.check()
    assert len(copy.calendar) == 4


@pytest.mark.parametrize("error", [RuntimeError, MemoryError])
@pytest.mark.parametrize("data", [
    [short(n, 10 * n, 10 * n + 5) for n in range(2, 6)], [encode_column([row(n, 10 * n, 10 * n + 5) for n in range(2, 6)])],
], ids=["records", "rows"])  # fmt: skip
def test_what_fails_when_it_was_loaded_is_applied_one_by_one(
    data: list[bytes], error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for a lack of memory, which is told; nothing of it is left then, and the next attempt applies it."""
    set_fewest(monkeypatch, 2)
    copy = Copy()
    begun(copy)
    copy.calendar.remove_resource("pool")
    copy.calendar.remove_resource("slow")
    copy.heard.clear()

    def failing(*_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(CalendarState, "end_load", failing)
        with pytest.raises(JournalError, match="not enough memory") if error is MemoryError else nullcontext():
            copy.apply(entries(*data))
    copy.calendar.check()
    assert len(copy.calendar) == len(copy.heard) + 1 == (1 if error is MemoryError else 5)
    if error is MemoryError:
        copy.apply(entries(*data))
    copy.calendar.check()
    assert len(copy.calendar) == len(copy.heard) + 1 == 5


def test_a_shared_calendar_applies_what_others_have_booked_at_once(tmp_path: Path, loads: list[int]) -> None:
    """Records of one booking each, and one of many, with a removal between them."""
    address = f"sqlite:///{tmp_path}/rooms.db"
    with Calendar.open(address, follow=False) as one, Calendar.open(address, follow=False) as other:
        one.add_resource(Resource("room"))
        heard: list[Any] = []
        other.subscribe(heard.append)
        for at in range(10):
            one.book("room", at, at + 1)
        one.remove_booking(3)
        for at in range(20, 30):
            one.book("room", at, at + 1)
        with one.transaction():
            for at in range(40, 60):
                one.book("room", at, at + 1)
        other.catch_up()
        assert loads == [10, 30]  # those of the transaction come in a row with those before it
        assert (other.position, other.digest()) == (one.position, one.digest())
        other.check()
        assert [getattr(change, "event", change).id for change in heard[1:]] == [*range(1, 11), 3, *range(11, 41)]
        other.book("room", 30, 31)
        one.catch_up()
        assert one.digest() == other.digest()
