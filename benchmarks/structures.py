"""What the chunked lists of `bookcore.index` gain over lists of `sortedcontainers`, each in the operation it is made for.

    python -m benchmarks.structures                   # 50,000 entries
    python -m benchmarks.structures --size 5000 --rounds 5

    structure                 operation                           beside
    `ChunkedIntervals`        the first gap of some length        `SortedDict` from start to end and number
    `ChunkedIntervals.put`    one interval added and removed      the same
    `AugmentedIntervalList`   intervals that overlap a span       `SortedKeyList` by start, read up to the end of the span
    `UsageProfile`            the peak in a span                  `SortedDict` from breakpoint to level
    `AttributeIndex`          values in a range, as a bitmap      `SortedKeyList` by value
    `Column`                  the ordinals up to a key            `SortedKeyList` by key
    `Column.insert_all`       dozens of entries inserted at once  the same
    `OccupancyIndex`          ordinals busy in a span             two `SortedKeyList`, by start and by end

Both give the same answers, which is compared first. A structure stays only where it gains more than 10% in its questions.
What it keeps for these makes changes slower: the two rows of changes show by how much.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any

from sortedcontainers import SortedDict, SortedKeyList

from benchmarks.timing import Contestant, human, race
from bookcore.index.attribute_index import AttributeIndex
from bookcore.index.augmented_intervals import AugmentedIntervalList
from bookcore.index.bitmap import from_ordinals
from bookcore.index.column import Column
from bookcore.index.disjoint_intervals import ChunkedIntervals
from bookcore.index.occupancy import OccupancyIndex
from bookcore.index.usage_profile import UsageProfile

__all__ = ["STRUCTURES", "gain"]

Pair = tuple[Callable[..., Any], Callable[..., Any], list[tuple[Any, ...]]]
"""An operation of ours, the same with sortedcontainers, and arguments for both."""

ASKED = 200
"""How many different questions are asked, in turn."""
LATE = 40
"""How many entries a chunk of the occupancy index puts in its columns at once."""


def _questions(dice: random.Random, last: int, length: int) -> list[tuple[int, int]]:
    return [(start, start + length) for start in (dice.randrange(last - length) for _ in range(ASKED))]


def _spans(size: int) -> tuple[ChunkedIntervals, Any]:
    """Return the intervals of one exclusive resource: mostly two keys apart, and after each fifth of them ten more."""
    spans = [(4 * at + 10 * (at // (size // 5)), at) for at in range(size)]
    ours = ChunkedIntervals(False, [edge for start, _ in spans for edge in (start, start + 2)], range(size), 128, 16)
    return ours, SortedDict((start, (start + 2, number)) for start, number in spans)


def _first_gap(spans: Iterable[tuple[Any, Any]]) -> Any:
    """Return where the first gap of at least five keys begins, or None."""
    return next((end for (_, end), (start, _) in pairwise(spans) if start - end >= 5), None)


def _gap(size: int, dice: random.Random) -> Pair:
    ours, theirs = _spans(size)

    def search(key: int) -> Any:
        return _first_gap(ours.spans(key, None, 5))

    def plain(key: int) -> Any:
        ends = ((start, theirs[start][0]) for start in theirs.irange(key))
        return _first_gap(ends)

    return search, plain, [(4 * dice.randrange(size - 1),) for _ in range(ASKED)]


def _written(size: int, dice: random.Random) -> Pair:
    ours, theirs = _spans(size)

    def add_and_remove(start: int, end: int) -> bool:
        place = ours.gap(start, end)
        if place is None:
            return False
        ours.put(place, start, end, size)
        ours.take(ours.find(size))
        return True

    def plain(start: int, end: int) -> bool:
        at = theirs.bisect_left(end)
        if at and start < theirs.peekitem(at - 1)[1][0]:
            return False
        theirs[start] = end, size
        del theirs[start]
        return True

    return add_and_remove, plain, [(start, start + 1) for start in (dice.randrange(4 * size) for _ in range(ASKED))]


def _overlapping(size: int, dice: random.Random) -> Pair:
    """Intervals of a resource with capacity."""
    ours, theirs = AugmentedIntervalList(False), SortedKeyList(key=lambda row: (row[0], row[2]))
    for number in range(size):
        start = dice.randrange(2 * size)
        row = start, start + dice.randrange(1, 50), number
        ours.put(*row)
        theirs.add(row)

    def plain(start: int, end: int) -> list[Any]:
        return [row for row in theirs.irange_key(None, (end, -1)) if start < row[1]]

    return ours.overlapping, plain, _questions(dice, 2 * size, 20)


def _usage(size: int, dice: random.Random) -> Pair:
    """The units of one resource in use."""
    ours, theirs = UsageProfile(), SortedDict({-1: 0})
    starts = [dice.randrange(2 * size) for _ in range(size)]
    ends = [start + dice.randrange(1, 50) for start in starts]
    ours.add_columns(starts, ends, [1] * size)
    level = 0
    changes = sorted([(start, 1) for start in starts] + [(end, -1) for end in ends])
    for key, amount in changes:
        level += amount
        theirs[key] = level

    def peak_is_low(start: int, end: int) -> bool:
        return ours.has_room(start, end, size)

    def plain(start: int, end: int) -> bool:
        first = theirs.keys()[theirs.bisect_right(start) - 1]
        return all(theirs[key] <= size for key in theirs.irange(first, end, inclusive=(True, False)))

    return peak_is_low, plain, _questions(dice, 2 * size, size // 2)


def _attribute(size: int, dice: random.Random) -> Pair:
    """A price for each resource."""
    ours, theirs = AttributeIndex("price", int), SortedKeyList(key=lambda entry: entry[0])
    for number in range(size):
        value = dice.randrange(10 * size)
        ours.put(number, value)
        theirs.add((value, number))

    def plain(low: int, high: int) -> int:
        return from_ordinals([number for _, number in theirs.irange_key(low, high)], size)

    return ours.between, plain, _questions(dice, 10 * size, 3 * size)


def _entries(dice: random.Random) -> list[tuple[int, int]]:
    """Return the starts of one chunk: some hundred, whatever the size."""
    return sorted((dice.randrange(10_000), number) for number in range(400))


def _column(size: int, dice: random.Random) -> Pair:
    entries = _entries(dice)
    ours, theirs = Column(*zip(*entries, strict=True)), SortedKeyList(entries, key=lambda entry: entry[0])

    def ordinals(key: int) -> list[int]:
        return list(ours.before(key, True)[0])

    def plain(key: int) -> list[int]:
        return [number for _, number in theirs.irange_key(None, key)]

    return ordinals, plain, [(dice.randrange(10_000),) for _ in range(ASKED)]


def _insertion(size: int, dice: random.Random) -> Pair:
    entries = _entries(dice)
    keys, numbers = zip(*entries, strict=True)

    def insert(*late: int) -> list[int]:
        column = Column(keys, numbers)
        column.insert_all(late)
        return list(column.keys)

    def plain(*late: int) -> list[int]:
        found: Any = SortedKeyList(key=lambda entry: entry[0])
        found._lists, found._keys, found._maxes, found._len = [list(entries)], [list(keys)], [keys[-1]], len(keys)
        found.update(zip(late[::2], late[1::2], strict=True))
        return [key for key, _ in found]

    return insert, plain, [tuple(dice.randrange(10_000) for _ in range(2 * LATE)) for _ in range(ASKED)]


def _occupancy(size: int, dice: random.Random) -> Pair:
    """Ten bookings of each of many resources."""
    count = max(size // 10, 1)
    ours = OccupancyIndex()
    by_start, by_end = SortedKeyList(key=lambda row: row[0]), SortedKeyList(key=lambda row: row[1])
    for number in range(count):
        for slot in dice.sample(range(200), 10):
            row = 50 * slot, 50 * slot + dice.randrange(1, 50), number
            ours.add(number, *row[:2])
            by_start.add(row)
            by_end.add(row)

    def plain(start: int, end: int) -> int:
        begun = set(by_start.irange_key(None, end, inclusive=(True, False)))
        ended = begun.intersection(by_end.irange_key(start, None, inclusive=(False, True)))
        return from_ordinals([number for _, _, number in ended], count)

    return ours.busy, plain, _questions(dice, 10_000, 168)


STRUCTURES: dict[str, Callable[[int, random.Random], Pair]] = {
    "ChunkedIntervals": _gap,
    "ChunkedIntervals.put": _written,
    "AugmentedIntervalList": _overlapping,
    "UsageProfile": _usage,
    "AttributeIndex": _attribute,
    "Column": _column,
    "Column.insert_all": _insertion,
    "OccupancyIndex": _occupancy,
}


def gain(name: str, size: int, rounds: int = 15) -> tuple[float, float]:
    """Return the median nanoseconds of a structure, and of the same on sortedcontainers; their answers are compared."""
    ours, theirs, arguments = STRUCTURES[name](size, random.Random(name))
    for asked in arguments:
        found, expected = ours(*asked), theirs(*asked)
        assert found == expected, (name, asked, found, expected)
    found = race([Contestant("ours", ours, arguments), Contestant("theirs", theirs, arguments)], rounds=rounds)
    return found["ours"].median, found["theirs"].median


def _lines(size: int, rounds: int) -> Iterator[str]:
    for name in STRUCTURES:
        ours, theirs = gain(name, size, rounds)
        yield f"{name:24} {human(ours):>9}   sortedcontainers {human(theirs):>9}   {theirs / ours:.3g}x"


def main() -> None:
    """Measure all structures, and print a line for each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.structures", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--size", type=int, default=50_000, help="how many entries each structure has")
    parser.add_argument("--rounds", type=int, default=15, help="how many times the two take turns")
    options = parser.parse_args()
    for line in _lines(options.size, options.rounds):
        print(line, flush=True)


if __name__ == "__main__":
    main()
