"""The life of a booking: hours, pools, gaps, slots, transactions, holds, and a year of flights.

A part whose data is not on this machine says so and is skipped.
"""

from __future__ import annotations

import gc
import random
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from benchmarks import real
from benchmarks.data import Columns, Dataset, crowded, hot, make, minutely, windows
from benchmarks.ours import Ours
from benchmarks.peers import MissingError
from benchmarks.rows import Row, at_most, under
from benchmarks.timing import Contestant, Stat, human, stat_of
from bookcore import BookingEvent, Calendar, ConflictError, Hours, Resource

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.context import Run

__all__ = ["measure"]

TITLE = "The life of a booking"
MINUTES_A_YEAR = 525_600
RULES = 50
_ANSWERS: dict[str, Callable[[Any], Any]] = {"count": len, "list": list}


def measure(run: Run) -> None:
    """Every part in turn; one that cannot run does not stop the others."""
    for name, part in PARTS.items():
        run.say(name)
        try:
            part(run)
        except MissingError as why:
            run.results.skip(f"life: {name}", why)
        gc.collect()


def _loaded(data: Dataset) -> Ours:
    ours = Ours()
    ours.load(data)
    return ours


def open_calendars(data: Dataset) -> tuple[Ours, Ours]:
    """Return the same calendar twice, the second with 50 weekly rules shared by all resources."""
    plain, ruled = _loaded(data), _loaded(data)
    for number in range(RULES):
        opens, closes = 5 + number % 10, 16 + number % 7
        days = ("mon-fri", "mon-sat", "mon-sun", "tue-sun", "wed-mon")[number % 5]
        rule = Hours({days: f"{opens:02d}:{number % 4 * 15:02d}-{closes:02d}:00"})
        ruled.calendar.set_hours(ruled.resources[number::RULES], rule)
    return plain, ruled


def _asked(name: str, ours: Ours, answer: Callable[[Any], Any], spans: list[tuple[Any, Any]]) -> Contestant:
    ask = ours.calendar.find_available
    return Contestant(name, lambda start, end: answer(ask(start, end)), spans)


def _hours(run: Run) -> None:
    data = make(*run.size, spare=False)
    plain, ruled = open_calendars(data)
    gc.collect()
    for length, text in ((2, "2-hour"), (data.week, "7-day")):
        spans = [plain.window(span) for span in windows(data, 61, length=length, seed=37)]
        for how, answer in _ANSWERS.items():
            entries = [_asked("plain", plain, answer, spans), _asked("hours", ruled, answer, spans)]
            found = run.race(f"{how} with hours", entries)
            name = f"`find_available` under {RULES} shared rules, {how}, {text} windows"
            run.add(at_most(TITLE, name, found["hours"], "plain", found["plain"], 3))


class Pool:
    """One resource of capacity 500 with many bookings of one unit, half an hour to two days each."""

    CAPACITY = 500

    def __init__(self, bookings: int) -> None:
        rng = random.Random(41)
        rows = Columns()
        # as full at any size: about 280 units in use, as 100,000 bookings of a day make
        longest = min(2880 * 100_000 // bookings, MINUTES_A_YEAR // 4)
        for _ in range(bookings):
            length = 30 + rng.randrange(longest)
            start = rng.randrange(MINUTES_A_YEAR - length)
            rows.add(0, start, start + length)
        self.data = Dataset("pool", 1, rows, Columns(), (0, MINUTES_A_YEAR), 10_080, minutely)
        self.ours = Ours()
        self.ours.register(self.data, lambda ordinal: Resource(ordinal, capacity=self.CAPACITY))
        self.ours.calendar.load(self.ours.events(self.data, rows))
        self.pool = self.ours.resource(0)

    def room(self, start: Any, end: Any) -> bool:
        """Whether 20 more fit."""
        free: bool = self.ours.calendar.is_available(self.pool, start, end, quantity=20)
        return free

    def take(self, start: Any, end: Any) -> Any:
        """Book 20, or None where they do not fit."""
        try:
            return self.ours.calendar.book(self.pool, start, end, quantity=20)
        except ConflictError:
            return None

    def check(self) -> int:
        """Compare with the peak counted minute by minute; return how many answers were yes."""
        use = [0] * (MINUTES_A_YEAR + 1)
        for _, start, end in self.data.rows:
            use[start] += 1
            use[end] -= 1
        for minute in range(1, len(use)):
            use[minute] += use[minute - 1]
        yes = 0
        for start, end in windows(self.data, 20, seed=43):
            want = max(use[start:end]) + 20 <= self.CAPACITY
            if self.room(*self.ours.window((start, end))) != want:
                raise AssertionError(
                    f"the pool over [{start}, {end}) is said to be {'full' if want else 'free'}"
                )
            yes += want
        return yes

    def entries(self) -> tuple[Contestant, Contestant]:
        """Asking over a week, and booking a week."""
        spans = [self.ours.window(span) for span in windows(self.data, 400, seed=47)]
        remove = self.ours.remove

        def undo(made: list[Any]) -> None:
            for event in made:
                if event is not None:
                    remove(event)

        free = [span for span in spans if self.room(*span)]
        ask = Contestant("bookcore", self.room, spans)
        # a dozen at a time: each takes 20 of the units left, and a batch must not fill the pool
        return ask, Contestant("bookcore", self.take, free[:12], undo)


def _pool(run: Run) -> None:
    pool = Pool(100_000 if run.size[0] >= 10_000 else 2_000)
    run.say(f"{pool.check()} of 20 windows have room")
    gc.collect()
    ask, take = pool.entries()
    text = f"pool of {Pool.CAPACITY} with {len(pool.data):,} bookings, `{{}}(quantity=20)` over a week"
    stat = run.race("pool: is_available", [ask])["bookcore"]
    run.add(under(TITLE, text.format("is_available"), stat, 100e3))
    stat = run.race("pool: book", [take])["bookcore"]
    run.add(under(TITLE, text.format("book"), stat, 50e3))


def _gap_entries(ours: Ours, data: Dataset) -> list[Contestant]:
    calendar, resource, one = ours.calendar, ours.resource(0), timedelta(minutes=1)
    after = [(resource, ours.key(span[0]), one) for span in windows(data, 500, length=20, seed=53)]
    spans = [(resource, *ours.window(span)) for span in windows(data, 500, length=20, seed=59)]
    return [
        Contestant("next", calendar.next_available, after),
        Contestant("gaps", lambda r, a, b: list(calendar.gaps(r, a, b)), spans),
        # longer than every gap: free only after the last booking
        Contestant("end", calendar.next_available, [(resource, ours.key(0), 3 * one)]),
    ]


def _gaps(run: Run) -> None:
    table = [
        [
            "bookings on one resource",
            "`next_available`",
            "`gaps`, 10 answers",
            "`next_available`, only at the end",
        ]
    ]
    most = run.size[0] * run.size[1]
    stats: dict[int, list[Stat]] = {}
    for size in [size for size in (1_000, 10_000, 100_000, 1_000_000) if size <= max(1_000, most)]:
        data = hot(size)
        ours = _loaded(data)
        gc.collect()
        entries = _gap_entries(ours, data)
        found = run.race(f"gaps with {size:,} bookings", entries)
        stats[size] = [found["next"], found["gaps"], found["end"]]
        for name, text in (("next", "next_available"), ("gaps", "gaps of 10 answers")):
            run.results.point(f"{text} by bookings on one resource", "bookcore", size, found[name].median)
        table.append([f"{size:,}", *(human(stat.median) for stat in stats[size])])
        del ours, entries
    run.results.tables["Finding time"] = table
    low, high = min(stats), max(stats)
    if low < high:
        for number, name in enumerate(("`next_available`", "`gaps`", "`next_available`, room only at the very end,")):
            text = f"{name} with {high:,} bookings against {low:,}: O(log m + answers)"
            row = at_most(TITLE, text, stats[high][number], f"at {low:,}", stats[low][number], 4)
            run.add(row)


def _slots(run: Run) -> None:
    day = timedelta(hours=24)
    for data, limit in ((make(*run.size, spare=False), 5e6), (crowded(*run.size), None)):
        ours = _loaded(data)
        gc.collect()
        spans = [ours.window(span) for span in windows(data, 31, seed=61)]
        find = ours.calendar.find_slots
        # a default argument binds this calendar's method, not the next one's
        entry = Contestant("bookcore", lambda a, b, find=find: next(iter(find(day, a, b)), None), spans)
        stat = run.race("find_slots", [entry])["bookcore"]
        run.add(under(TITLE, f"first of `find_slots(24 h)`, {data.name}", stat, limit))


def _transaction(run: Run) -> None:
    data = make(*run.size)
    ours = _loaded(data)
    calendar = ours.calendar
    gc.collect()
    rows = [(ours.resource(ordinal), a, b) for ordinal, a, b in data.keyed(data.spare)]
    hundreds = [(rows[i : i + 100],) for i in range(0, min(len(rows), 5_000) - 99, 100)]
    book, remove = ours.book, ours.remove

    def loop(hundred: list[Any]) -> list[Any]:
        return [book(*row) for row in hundred]

    def together(hundred: list[Any]) -> list[Any]:
        with calendar.transaction():
            return [book(*row) for row in hundred]

    def undo(made: list[Any]) -> None:
        for events in made:
            for event in events:
                remove(event)

    entries = [Contestant("loop", loop, hundreds, undo), Contestant("transaction", together, hundreds, undo)]
    found = run.race("transaction", entries)
    text = "a transaction of 100 bookings"
    run.add(at_most(TITLE, text, found["transaction"], "the loop", found["loop"], 3))


def expiry(holds: int, *, at_once: bool) -> dict[str, float]:
    """Let *holds* run out, all at once or one by one; nanoseconds of the longest call and of the mean."""
    data = make(max(100, holds // 5), 5)
    now = [datetime(2024, 12, 31)]
    ours = Ours()
    ours.calendar = calendar = Calendar(clock=lambda: now[0])
    ours.load(data)
    more = make(holds, 1, seed=67)
    extra = [calendar.add_resource(Resource(("held", ordinal))) for ordinal in range(holds)]
    step, end = timedelta(seconds=1), datetime(2025, 1, 1)
    held = [
        calendar.hold(extra[ordinal], a, b, until=end if at_once else end + number * step)
        for number, (ordinal, a, b) in enumerate(more.keyed(more.rows))
    ]
    took: list[int] = []
    clock = time.perf_counter_ns
    spans = [ours.window(span) for span in windows(data, 31, seed=71)]
    free = len(calendar.find_available(*spans[0]))
    now[0] = end
    for number in range(min(holds, 3_000)):
        if not at_once:
            now[0] = end + (number + 1) * (holds / 3_000) * step
        start, stop = spans[number % len(spans)]
        began = clock()
        if number % 3 == 0:
            len(calendar.find_available(start, stop))
        elif number % 3 == 1:
            calendar.is_available(held[number].resource, held[number].start, held[number].end)
        else:
            calendar.book(extra[number], *ours.window((9_000, 9_001)))
        took.append(clock() - began)
    now[0] = end + holds * step
    if any(event.owns_lock for event in held) or len(calendar.find_available(*spans[0])) < free:
        raise AssertionError("holds did not run out")
    return {"longest": max(took), "mean": sum(took) / len(took), "calls": len(took)}


def pool_expiry(holds: int, others: int) -> dict[str, float]:
    """Let *holds* of one pool run out at one instant, beside so many bookings; as `expiry`.

    What is asked for is what the pool has only without the holds.
    """
    data = Pool(others) if others else None
    epoch, now = datetime(2025, 1, 1), [datetime(2024, 12, 31)]
    calendar: Any = Calendar(clock=lambda: now[0])
    minute, rng = timedelta(minutes=1), random.Random(73)
    pool = calendar.add_resource(Resource("pool", capacity=10_000))
    if data is not None:
        made = [(epoch + a * minute, epoch + b * minute) for _, a, b in data.data.rows]
        calendar.load([BookingEvent(pool, a, b) for a, b in made])
    until, held = datetime(2025, 1, 1), []
    for _ in range(holds):
        start, length = rng.randrange(MINUTES_A_YEAR - 20_000), 30 + rng.randrange(20_000)
        span = (epoch + start * minute, epoch + (start + length) * minute)
        held.append(calendar.hold(pool, *span, until=until))
    asked = []
    for _ in range(300):
        start = rng.randrange(30_000, 480_000)
        span = (epoch + start * minute, epoch + (start + 120) * minute)
        used = max(used for _, _, used in calendar.occupancy(pool, *span))
        asked.append((*span, 10_000 - used + 1))  # one more than the holds leave
    took: list[int] = []
    clock = time.perf_counter_ns
    now[0] = until
    for number, (low, high, quantity) in enumerate(asked):
        began = clock()
        if number % 3 == 0:
            right = calendar.find_available(low, high, quantity=quantity).count() == 1
        elif number % 3 == 1:
            right = calendar.is_available(pool, low, high, quantity=quantity)
        else:
            right = calendar.book(pool, low, high).owns_lock
        took.append(clock() - began)
        if not right:
            raise AssertionError("what ran out is still in the way")
    if any(event.owns_lock for event in held):
        raise AssertionError("holds did not run out")
    return {"longest": max(took), "mean": sum(took) / len(took), "calls": len(took)}


def _pool_holds(run: Run) -> None:
    holds, many = (10_000, 100_000) if run.size[0] >= 1_000 else (500, 5_000)
    for others in (0, many):
        found = [pool_expiry(holds, others) for _ in range(3)]
        stat = stat_of([each["longest"] for each in found], int(found[0]["calls"]))
        where = f"with {others:,} other bookings" if others else "of their own"
        text = f"{holds:,} holds run out at one instant in one pool {where}: the longest call while they do"
        run.add(under(TITLE, text, stat, 20e6, note=f"mean {human(found[0]['mean'])}"))


def _holds(run: Run) -> None:
    holds = 10_000 if run.size[0] >= 1_000 else 500
    for at_once in (True, False):
        found = [expiry(holds, at_once=at_once) for _ in range(3)]
        stat = stat_of([each["longest"] for each in found], int(found[0]["calls"]))
        how = "at one instant" if at_once else "one after another"
        text = f"{holds:,} holds run out {how}: the longest call while they do"
        run.add(under(TITLE, text, stat, 20e6, note=f"mean {human(found[0]['mean'])}"))


def flights(plan: real.Plan) -> dict[str, float]:
    """Book every flight as scheduled, then move each to what happened; counts, and nanoseconds a call."""
    calendar: Any = Calendar()
    aircraft = [calendar.add_resource(Resource(tail)) for tail in plan.aircraft]
    planned = [(aircraft[ordinal], plan.key(a), plan.key(b)) for ordinal, a, b in plan.planned]
    flown = [(plan.key(a), plan.key(b)) for _, a, b in plan.flown]
    events: list[Any] = []
    moved = refused = 0
    clock, book, move = time.perf_counter_ns, calendar.book, calendar.move
    began = clock()
    for row in planned:
        try:
            events.append(book(*row))
        except ConflictError:
            events.append(None)
    booking = clock() - began
    began = clock()
    for event, (start, end) in zip(events, flown, strict=True):
        if event is None:
            continue
        try:
            move(event, start=start, end=end)
            moved += 1
        except ConflictError:
            refused += 1
    moving = clock() - began
    booked = moved + refused
    return {
        "booked": booked,
        "moved": moved,
        "refused": refused,
        "book": booking / len(planned),
        "move": moving / max(1, booked),
    }


def _flights(run: Run) -> None:
    plan = real.planned_flights(limit=None if run.size[0] >= 10_000 else 20_000)
    found = flights(plan)
    run.say(f"  {found}")
    whole = len(plan.planned) == 328_063
    title = "Real data: flights, planned to actual"
    booked, moved, refused = (int(found[name]) for name in ("booked", "moved", "refused"))
    right = (booked, moved, refused) == (327_855, 327_702, 153)
    text = f"{booked:,} booked as scheduled, {moved:,} moved, {refused:,} refused"
    reach = "327,855, 327,702 and 153" if whole else ""
    run.add(Row(title, "counts", text, "", "", reach, right if whole else None, "1", dict(found)))
    for name in ("book", "move"):
        stat = Stat(found[name], found[name], 1, booked)
        run.add(under(title, f"`{name}`, a call", stat, None))


PARTS: dict[str, Callable[[Run], None]] = {
    "opening hours": _hours,
    "a pool": _pool,
    "gaps": _gaps,
    "slots": _slots,
    "transaction": _transaction,
    "holds": _holds,
    "holds of a pool": _pool_holds,
    "flights": _flights,
}
