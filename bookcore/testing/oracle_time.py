"""Free time in the oracle: every cell of a window is judged by itself, and free cells that touch are joined.

A span is available exactly when each of its cells is, for the reach of a span is the reaches of its cells together. So
what is free around the bookings is a row of yes and no. All that happens lies between two ranks, `ENDS`; beyond them
one cell is like the next, save for opening hours, and these are asked about bounded windows alone.

Answers speak of *places*: twice the rank for a key, one more for what lies between that key and the next rank's. With
closed bounds free time begins just after what is taken and ends just before. Where there are no keys in between
(``between=False``: whole numbers, dates) that is the next rank and the one before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import combinations, groupby
from typing import Any, TypeAlias

from bookcore.testing.oracle import ENDS, FAR, Rule, Thing, refuse
from bookcore.testing.oracle_life import LifeOracle

WEEKS = 1400
"""How many ranks hold all that opening hours ever do: they repeat after fewer."""

Place: TypeAlias = int | None
Free: TypeAlias = tuple[Place, Place]


class TimeOracle(LifeOracle):
    """An oracle that finds time. ``between`` tells whether there are keys between those of two ranks.

    ``days``: keys are whole days, so that with closed bounds a length of 3 is from the first day to the third.
    """

    def __init__(self, bounds: str = "[)", between: bool = False, days: bool = False) -> None:
        super().__init__(bounds)
        self.counted = 1 if self.closed and days else 0
        self.between = between
        self.size = 2 if self.closed else 1

    # -- cells -------------------------------------------------------------------------------------

    def _use(self, thing: Thing, holds: bool = True) -> Callable[[int], int]:
        """Return a function that tells how much a booking of one cell finds in use within its reach."""
        booked = [b for b in self.booked if b.thing is thing and (holds or not b.held)]
        uses = [(self.reach(thing, b.start, b.end), b.quantity) for b in booked]
        before, after = self.size * thing.before, self.size * thing.after
        found: dict[int, int] = {}

        def used(cell: int) -> int:
            if cell not in found:
                found[cell] = sum(quantity for reach, quantity in uses if cell in reach)
            return found[cell]

        return lambda cell: max(used(near) for near in range(cell - before, cell + after + 1))

    def _runs(self, start: int | None, end: int | None, tells: Callable[[int], Any]) -> list[tuple[Any, int, int]]:
        """Return what a function tells of the cells of a window, equal neighbours joined: ``(told, first, end)``."""
        cells = self.cells(start, end)
        low, high = cells.start, cells.stop
        window = range(self.size * ENDS[0] if low <= -FAR else low, self.size * ENDS[1] if high >= FAR else high)
        runs = []
        for told, group in groupby(window, key=tells):
            members = list(group)
            runs.append([told, members[0], members[-1] + 1])
        runs[0][1], runs[-1][2] = low, high  # the outermost cell has the state of all beyond
        return [(told, first, stop) for told, first, stop in runs]

    def _free(self, thing: Thing, start: int | None, end: int | None, quantity: int) -> list[tuple[int, int]]:
        """Return the runs of free cells in a window, cut to such as hold a key."""
        use = self._use(thing)

        def free(cell: int) -> bool:
            return use(cell) + quantity <= thing.capacity and not self.is_shut(thing, range(cell, cell + 1))

        runs = [(first, stop) for yes, first, stop in self._runs(start, end, free) if yes]
        return [run for run in map(self._cut, runs) if run[0] < run[1]]

    def _cut(self, run: tuple[int, int]) -> tuple[int, int]:
        if not self.closed or self.between:
            return run
        first, stop = run  # the first and last cells are keys: they are even
        return (first if first <= -FAR else first + first % 2), (stop if stop >= FAR else stop - 1 + stop % 2)

    def _places(self, run: tuple[int, int]) -> Free:
        """Return a run of cells as places."""
        first, stop = run
        scale = 1 if self.closed else 2
        return (
            None if first <= -FAR else first * scale,
            None if stop >= FAR else (stop - 1 if self.closed else stop * scale),
        )

    # -- lengths -----------------------------------------------------------------------------------

    @staticmethod
    def _exact(place: int, end: bool) -> tuple[int, int]:
        """Return a place as a rank and what is added to it: a step of the keys' own, too small to measure."""
        return (place // 2, 0) if place % 2 == 0 else (place // 2 + 1, -1) if end else (place // 2, 1)

    def _fits(self, free: Free, length: int | None) -> bool:
        start, end = free
        if length is None or start is None or end is None:
            return True
        (low, more), (high, less) = self._exact(start, False), self._exact(end, True)
        return (high - low, less - more) >= (max(0, length - self.counted), 0)

    def _moved(self, place: int, length: int, end: bool) -> int:
        """Return a place a length later, or where it is an end, earlier by a negative one."""
        rank, more = self._exact(place, end)
        return 2 * (rank + length) + more

    # -- one resource ------------------------------------------------------------------------------

    def _asked(self, id: Any, start: int | None, end: int | None, quantity: int = 1) -> Thing:
        thing = self.thing(id)
        self.cells(start, end)
        if quantity < 1:
            refuse("InvalidQuantityError", quantity=quantity)
        return thing

    def gaps(
        self, id: Any, start: int | None, end: int | None, at_least: int | None = None, quantity: int = 1
    ) -> list[Free]:
        """Return the maximal free spans of a window."""
        thing = self._asked(id, start, end, quantity)
        found = map(self._places, self._free(thing, start, end, quantity))
        return [free for free in found if self._fits(free, at_least)]

    def next_available(self, id: Any, after: int, length: int, quantity: int = 1) -> Free | None:
        """Return the first free span of a length."""
        thing = self._asked(id, after, None, quantity)
        self._length(length)
        for start, _ in self.gaps(id, after, self._horizon(thing.hours, after, WEEKS), length, quantity):
            if start is not None:
                return start, self._moved(start, length - self.counted, False)
        return None

    def nearest(self, id: Any, start: int | None, end: int | None, quantity: int = 1) -> tuple[Free | None, Free | None]:
        """Return the closest free spans of the same length on either side."""
        thing = self._asked(id, None, None, 1)
        if start is None or end is None:
            self.cells(start, end)
            refuse("InvalidSpanError")
        self._asked(id, start, end, quantity)
        length = end - start + self.counted
        if self.is_available(id, start, end, quantity):
            return (2 * start, 2 * end), (2 * start, 2 * end)
        before = None
        for _, last in self.gaps(id, self._horizon(thing.hours, start, -WEEKS), end, length, quantity):
            if last is not None:
                before = self._moved(last, self.counted - length, True), last
        return before, self.next_available(id, start, length, quantity)

    @staticmethod
    def _horizon(rule: Rule | None, rank: int, far: int) -> int | None:
        if rule is None or rule.always:
            return None
        return rank + far

    def _length(self, length: int) -> None:
        if length < 1 and (not self.closed or self.counted):
            refuse("InvalidSpanError")

    # -- several -----------------------------------------------------------------------------------

    def find_slots(
        self, length: int, start: int, end: int, ids: Iterable[Any] | None, step: int | None, quantity: int = 1
    ) -> list[tuple[int, int, Any]]:
        """Return ``(start, end, id)``, earliest first, of those resources (None: of all)."""
        self.cells(start, end)
        wanted = None if ids is None else set(ids)
        apart = length - self.counted
        found: list[tuple[int, int, Any]] = []
        for thing in self.things:
            if wanted is not None and thing.id not in wanted:
                continue
            if step is None:
                starts: list[Any] = [a for a, _ in self.gaps(thing.id, start, end, length, quantity)]
            else:
                tried = range(start, end - apart + 1, step)
                starts = [2 * at for at in tried if self._has_room(thing, at, at + apart, quantity)]
            found += [(at, self._moved(at, apart, False), thing.id) for at in starts]
        return sorted(found, key=lambda slot: slot[0])

    def common_gaps(
        self, ids: Iterable[Any], start: int | None, end: int | None, at_least: int | None = None, quorum: int | None = None
    ) -> list[Free]:
        """Return the maximal spans free on the same *quorum* of them: of each choice of so many, what they share."""
        self.cells(start, end)
        things = {id: self.thing(id) for id in ids}
        free = [self._free(thing, start, end, 1) for thing in things.values()]
        needed = len(free) if quorum is None else quorum
        if not needed:
            window = self.cells(start, end)
            shared = {(window.start, window.stop)}
        else:
            shared = set()
            for chosen in combinations(free, needed):
                both = chosen[0]
                for other in chosen[1:]:
                    both = [(max(a, c), min(b, d)) for a, b in both for c, d in other if max(a, c) < min(b, d)]
                shared.update(both)
        widest = [
            run for run in shared if not any(o != run and o[0] <= run[0] and run[1] <= o[1] for o in shared)
        ]
        return [gap for gap in map(self._places, sorted(widest)) if self._fits(gap, at_least)]

    # -- saying so ---------------------------------------------------------------------------------

    def free_busy(self, id: Any, start: int | None, end: int | None) -> list[tuple[Place, Place, str]]:
        """Return what each stretch of a window is."""
        thing = self._asked(id, start, end)
        if thing.hours is not None and (start is None or end is None):
            refuse("InvalidSpanError")
        firm, use = self._use(thing, holds=False), self._use(thing)

        def state(cell: int) -> str:
            if firm(cell) >= thing.capacity:
                return "busy"
            if use(cell) >= thing.capacity:
                return "held"
            return "closed" if self.is_shut(thing, range(cell, cell + 1)) else "free"

        return self._tiles(start, end, state)

    def _tiles(self, start: int | None, end: int | None, tells: Callable[[int], Any]) -> list[tuple[Place, Place, Any]]:
        """Return the stretches of a window of which the same is true, cut to such as hold a key and joined."""
        tiles: list[tuple[Any, Any, Any]] = []
        for told, first, stop in self._runs(start, end, tells):
            run = self._cut((first, stop))
            if run[0] < run[1]:
                place = self._places(run)
                if tiles and tiles[-1][2] == told:
                    place = tiles.pop()[0], place[1]
                tiles.append((*place, told))
        return tiles

    def occupancy(self, id: Any, start: int | None, end: int | None) -> list[tuple[Place, Place, int]]:
        """Return how many units bookings use when."""
        thing = self._asked(id, start, end)
        uses = [(self.cells(b.start, b.end), b.quantity) for b in self.booked if b.thing is thing]
        return self._tiles(start, end, lambda cell: sum(quantity for cells, quantity in uses if cell in cells))

    def explain(self, id: Any, start: int | None, end: int | None, quantity: int = 1) -> list[tuple[str, Any]]:
        """Return every cause why a span is not available, as its kind and what it is."""
        thing = self._asked(id, start, end, quantity)
        cells = self.cells(start, end)
        causes: list[tuple[str, Any]] = []
        if quantity > thing.capacity:
            causes.append(("quantity", thing.capacity))
        near = {s.id for s in self.shut if s.thing is thing and self._share(cells, self.cells(s.start, s.end))}
        causes += [("closure", id) for id in self.closures(id) if id in near]
        shut, self.shut = self.shut, []
        if self.is_shut(thing, cells):
            causes.append(("hours", None))
        self.shut = shut
        for booked in map(self.get, self.conflicts(id, start, end, quantity)):
            kind = "hold" if booked.held else "booking"
            if not self._share(cells, self.cells(booked.start, booked.end)):
                kind = "buffer"
            causes.append((kind, booked.id))
        return causes

    # -- any of these ------------------------------------------------------------------------------

    def choose(
        self, ids: Iterable[Any] | None, start: int | None, end: int | None, quantity: int, strategy: str
    ) -> Any:
        """Return the resource that a strategy chooses of those resources (None: of all) that are available, or refuse."""
        free = self.available(start, end, quantity)
        if ids is not None:
            free = [id for id in free if id in ids]
        if not free:
            asked = [thing for thing in self.things if ids is None or thing.id in ids]
            refuse("NoneAvailableError", asked=len(asked), quantity=quantity)
        if strategy == "least_used":
            return min(free, key=lambda id: sum(b.thing.id == id for b in self.booked))
        if strategy == "best_fit":
            return min(free, key=lambda id: self._gap_size(id, start, end, quantity))
        return free[-1] if strategy == "own" else free[0]

    def _gap_size(self, id: Any, start: int | None, end: int | None, quantity: int) -> tuple[int, int]:
        """Return on how many sides the gap around a free span is unbounded, and its length on the others."""
        thing = self.thing(id)
        window = [None if side is None else self._horizon(thing.hours, side, far)
                  for side, far in ((start, -WEEKS), (end, WEEKS))]  # fmt: skip
        asked = self.cells(start, end)
        between, self.between = self.between, True
        (gap,) = [
            run for run in self._free(thing, window[0], window[1], quantity)
            if run[0] <= asked.start and asked.stop <= run[1]
        ]  # fmt: skip
        self.between = between
        first, last = self._places(gap)
        unbounded = (start is not None and first is None) + (end is not None and last is None)
        length = 0
        # a gap is measured from what ends before it to what begins after it
        if start is not None and first is not None:
            length += start - first // 2
        if end is not None and last is not None:
            length += (last + 1) // 2 - end
        return unbounded, length
