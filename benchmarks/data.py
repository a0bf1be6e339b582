"""Seeded synthetic bookings: the plain year, and the shapes that break engines.

A data set holds three parallel columns of small integers: resource ordinal, start, end. Integers are what
SQLite, NCLS and superintervals take; ``key`` turns one into the key that bookcore and the other Python peers
get (a naive ``datetime``). Every row of one resource is disjoint from its others, so any order of insertion
succeeds.

The plain year cuts the year into as many slots as a resource has bookings, and places one booking in each:

    |--[====]-----|-[==]--------|-------[=====]|   ...   one slot per booking, random start and length

One slot more than asked for is cut, and one slot per resource is held back as ``spare``: bookings that are
certain to fit, for measuring ``book`` on a loaded calendar.
"""

from __future__ import annotations

import random
from array import array
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = [
    "HOURS_A_YEAR",
    "ORIGIN",
    "SCALES",
    "SHAPES",
    "Columns",
    "Dataset",
    "Span",
    "hot",
    "make",
    "shape",
    "windows",
]

ORIGIN = datetime(2025, 1, 1)
HOURS_A_YEAR = 8760
WEEK = 168
SEED = 20250101

#: name on the command line -> (resources, bookings on each)
SCALES: dict[str, tuple[int, int]] = {
    "ci": (200, 5),
    "1k": (1_000, 10),
    "20k": (20_000, 10),
    "10k": (10_000, 100),
    "100k": (100_000, 10),
    "1m": (1_000_000, 10),
}

Span = tuple[int, int]


class Columns:
    """Rows of (resource ordinal, start, end) as three arrays: 24 bytes a row, so 10 million fit anywhere."""

    __slots__ = ("end", "ordinal", "start")

    def __init__(self) -> None:
        self.ordinal, self.start, self.end = array("q"), array("q"), array("q")

    def add(self, ordinal: int, start: int, end: int) -> None:
        """Append one row."""
        self.ordinal.append(ordinal)
        self.start.append(start)
        self.end.append(end)

    def __len__(self) -> int:
        return len(self.ordinal)

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        return zip(self.ordinal, self.start, self.end, strict=True)

    def take(self, order: Sequence[int]) -> Columns:
        """Return the rows in the given order."""
        out = Columns()
        for name in ("ordinal", "start", "end"):
            column = getattr(self, name)
            setattr(out, name, array("q", [column[i] for i in order]))
        return out


def hourly(point: int) -> datetime:
    """Turn hours since the origin into a naive ``datetime``: a new object at each call, as from a file."""
    return ORIGIN + timedelta(hours=point)


def minutely(point: int) -> datetime:
    """Turn minutes since the origin into a naive ``datetime``."""
    return ORIGIN + timedelta(minutes=point)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Bookings in the order in which they are made, and what goes with them.

    ``week`` is the length of a question in units of this set, ``reach`` the part of the axis where questions
    fall.
    """

    name: str
    resources: int
    rows: Columns
    spare: Columns
    reach: Span
    week: int = WEEK
    key: Callable[[int], Any] = hourly

    def __len__(self) -> int:
        return len(self.rows)

    def keyed(self, rows: Columns) -> Iterator[tuple[int, Any, Any]]:
        """Iterate over rows with keys instead of integers, each key an object of its own."""
        key = self.key
        return ((ordinal, key(start), key(end)) for ordinal, start, end in rows)


def make(
    resources: int, bookings: int, *, seed: int = SEED, order: str = "shuffled", spare: bool = True
) -> Dataset:
    """Make the plain year: *bookings* on each resource, lengths from an hour to a week.

    >>> year = make(3, 2)
    >>> len(year), len(year.spare), year.rows.take([0, 1]).ordinal.tolist() == year.rows.ordinal.tolist()[:2]
    (6, 3, True)
    """
    rng = random.Random(seed)
    slots = bookings + 1 if spare else bookings
    slot = HOURS_A_YEAR // slots
    if slot < 2:
        raise ValueError(f"a year has no room for {bookings} bookings of an hour each with gaps")
    longest = min(WEEK, slot - 1)
    rows, held = Columns(), Columns()
    draw = rng.random
    for ordinal in range(resources):
        keep = int(draw() * slots) if spare else -1
        for number in range(slots):
            length = 1 + int(draw() * longest)
            start = number * slot + int(draw() * (slot - length + 1))
            (held if number == keep else rows).add(ordinal, start, start + length)
    rows = _ordered(rows, order, rng)
    spares = list(range(len(held)))
    rng.shuffle(spares)
    name = f"{resources:,} x {bookings:,}"
    return Dataset(name, resources, rows, held.take(spares), (0, HOURS_A_YEAR))


def _ordered(rows: Columns, order: str, rng: random.Random) -> Columns:
    numbers = list(range(len(rows)))
    if order == "shuffled":
        rng.shuffle(numbers)
    elif order in ("ascending", "descending"):
        numbers.sort(key=rows.start.__getitem__, reverse=order == "descending")
    else:
        raise ValueError(f"unknown order {order!r}")
    return rows.take(numbers)


def windows(data: Dataset, count: int, *, length: int | None = None, seed: int = 7) -> list[Span]:
    """Return *count* spans to ask about, spread evenly over the data at random offsets."""
    rng = random.Random(seed)
    length = data.week if length is None else length
    low, high = data.reach[0], max(data.reach[0] + 1, data.reach[1] - length)
    return [(start, start + length) for start in (rng.randrange(low, high) for _ in range(count))]


def day_grained(resources: int, bookings: int) -> Dataset:
    """Whole days: every start and end is a midnight, so thousands of starts share each key."""
    rng = random.Random(SEED)
    days, rows = HOURS_A_YEAR // 24, Columns()
    for ordinal in range(resources):
        for day in rng.sample(range(days), bookings):
            rows.add(ordinal, day * 24, day * 24 + 24)
    return Dataset(
        "day-grained keys", resources, _ordered(rows, "shuffled", rng), Columns(), (0, HOURS_A_YEAR)
    )


def one_start(resources: int, bookings: int) -> Dataset:
    """Literally all starts equal: as many resources as bookings, one booking each, all from the same hour."""
    rng = random.Random(SEED)
    rows, total = Columns(), resources * bookings
    for ordinal in range(total):
        rows.add(ordinal, 4000, 4001 + rng.randrange(WEEK))
    return Dataset("all starts equal", total, rows, Columns(), (3900, 4200))


def ten_years(resources: int, bookings: int) -> Dataset:
    """One resource in ten is taken for ten years; the others hold one-hour bookings within that time."""
    rng = random.Random(SEED)
    rows, decade = Columns(), 10 * HOURS_A_YEAR
    for ordinal in range(resources):
        if ordinal % 10 == 0:
            rows.add(ordinal, 0, decade)
            continue
        slot = decade // bookings
        for number in range(bookings):
            start = number * slot + rng.randrange(slot)
            rows.add(ordinal, start, start + 1)
    shuffled = _ordered(rows, "shuffled", rng)
    return Dataset("ten-year among one-hour", resources, shuffled, Columns(), (0, decade))


def hot(bookings: int, *, others: int = 0, each: int = 10) -> Dataset:
    """One resource with *bookings* of one minute, every other minute; *others* with a few each around it."""
    rng = random.Random(SEED)
    rows, spare, axis = Columns(), Columns(), 2 * bookings + 2
    for number in range(bookings):
        rows.add(0, 2 * number, 2 * number + 1)
        if number % max(1, bookings // 2000) == 0:
            spare.add(0, 2 * number + 1, 2 * number + 2)
    slot = max(2, axis // each)
    for ordinal in range(1, others + 1):
        for number in range(each):
            length = 1 + rng.randrange(max(1, slot // 4))
            start = number * slot + rng.randrange(slot - length + 1)
            rows.add(ordinal, start, start + length)
    ordered = _ordered(rows, "shuffled", rng)
    spares = list(range(len(spare)))
    rng.shuffle(spares)
    week = max(1, min(10_080, axis // 50))
    return Dataset("one hot resource", others + 1, ordered, spare.take(spares), (0, axis), week, minutely)


def crowded(resources: int, bookings: int) -> Dataset:
    """Nearly everything taken: bookings touch one another, and one in twenty is left out."""
    rng = random.Random(SEED)
    rows = Columns()
    for ordinal in range(resources):
        cuts = sorted(rng.sample(range(1, HOURS_A_YEAR), bookings - 1)) if bookings > 1 else []
        edges = [0, *cuts, HOURS_A_YEAR]
        for start, end in pairwise(edges):
            if rng.random() < 0.95:
                rows.add(ordinal, start, end)
    return Dataset("high occupancy", resources, _ordered(rows, "shuffled", rng), Columns(), (0, HOURS_A_YEAR))


def _in_order(order: str) -> Callable[[int, int], Dataset]:
    def build(resources: int, bookings: int) -> Dataset:
        made = make(resources, bookings, order=order, spare=False)
        return Dataset(order, made.resources, made.rows, made.spare, made.reach)

    return build


def _hot_shape(resources: int, bookings: int) -> Dataset:
    return hot(resources * bookings // 2, others=resources // 2, each=bookings)


#: shape -> builder from (resources, bookings on each); each gives about resources x bookings rows
SHAPES: dict[str, Callable[[int, int], Dataset]] = {
    "shuffled": _in_order("shuffled"),
    "ascending": _in_order("ascending"),
    "descending": _in_order("descending"),
    "day-grained keys": day_grained,
    "all starts equal": one_start,
    "ten-year among one-hour": ten_years,
    "one hot resource": _hot_shape,
    "high occupancy": crowded,
}


def shape(name: str, resources: int, bookings: int) -> Dataset:
    """Build one shape by name; an unknown name is a ``KeyError``."""
    return SHAPES[name](resources, bookings)
