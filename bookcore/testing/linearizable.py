"""Whether the answers that processes got from one shared calendar can be put into one order: `check_history`.

    process 1    |-- book a [9, 12): done --|                |------ remove a: done ------|
    process 2              |-------- available [9, 10)? False --------|
    process 3                                    |------ book b [9, 10): done ------|
                 -----------------------------------------------------------------------------> time
    an order:    book a,   available? False,     remove a,   book b

A history is *linearizable* if every call can be given one instant between its begin and its return so that a plain
calendar, asked in the order of these instants, gives the same answers. The search is that of Wing and Gong, for each
resource by itself, with the memory of Lowe: a *configuration* is the set of the calls that have been put into the order,
and the bookings that are active after them; what was searched from one is not searched again. The next call in the order
is always one that began before any of those that are left has returned.

Invariant: if the calls that are left can be put into an order at all, they can in one that goes on as the search does.

1. A call that changes nothing, and whose answer is right now, goes into the order at once. Nothing else depends on it.
2. Otherwise the *due* call decides: the first to return of those that are left. Of the open calls only those are tried
   that matter to it, or to another one that does. All others can go behind it, as calls that do not matter to each other
   can change places.

This file imports nothing of what it judges.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, Literal, TypeAlias

Operation: TypeAlias = Literal["book", "hold", "confirm", "remove", "expire", "is_available", "bookings"]

ANSWERS: dict[str, tuple[object, ...]] = {
    "book": ("done", "refused", "exists", "unknown"),
    "hold": ("done", "refused", "exists", "unknown"),
    "confirm": ("done", "refused", "unknown"),
    "remove": ("done", "refused", "unknown"),
    "expire": ("unknown",),
    "is_available": (True, False, "unknown"),
}


@dataclass(frozen=True, slots=True)
class Call:
    """One call of one process: when it began and returned, what it asked, and what was answered.

    Times are numbers of one clock for all processes, as of `time.perf_counter_ns`; ``returned`` is None for a call that
    never did. Spans are as in `Calendar`, with None for unbounded ends.

    | operation | takes | results |
    | --- | --- | --- |
    | ``book``, ``hold`` | span, quantity, id | ``"done"``; ``"refused"`` by a conflict; ``"exists"``: the id is active |
    | ``confirm``, ``remove`` | id | ``"done"``; ``"refused"``: no such booking is active |
    | ``expire`` | id | ``"unknown"``: a hold runs out, between its deadline and when every clock has reached that |
    | ``is_available`` | span, quantity | True, False |
    | ``bookings`` | | a frozenset of the ids that are active on the resource |

    Each may be ``"unknown"``, as where a connection was lost: any answer would be right, and the call takes effect between
    ``called`` and ``returned`` or, if that is None, at any time after ``called`` or never. A booking that is active may be
    booked again under its id and answered ``"done"``, as with ``if_exists="return"``. An id belongs to one resource.

    Raises: `ValueError` for a result that its operation does not have, and for a call that returns before it begins.
    """

    process: Hashable
    called: float
    returned: float | None
    operation: Operation
    resource: Hashable
    id: Hashable = None
    start: Any = None
    end: Any = None
    quantity: int = 1
    result: Any = "unknown"

    def __post_init__(self) -> None:
        if self.operation == "bookings":
            fits = isinstance(self.result, frozenset) or self.result == "unknown"
        else:
            fits = self.result in ANSWERS.get(self.operation, ())
        if not fits:
            raise ValueError(f"{self.operation!r} has no result {self.result!r}")
        if self.returned is None and self.result != "unknown":
            raise ValueError(f"a call that did not return has no result {self.result!r}")
        if self.returned is not None and self.returned < self.called:
            raise ValueError(f"a call that began at {self.called} cannot have returned at {self.returned}")
        if self.id is None and self.operation in ("confirm", "remove", "expire"):
            raise ValueError(f"{self.operation!r} needs the id of a booking")

    def __str__(self) -> str:
        name = "" if self.id is None else f" {self.id!r}"
        span = f" [{self.start!r}, {self.end!r})" if self.operation in ("book", "hold", "is_available") else ""
        units = f" x{self.quantity}" if self.quantity != 1 else ""
        result = sorted(map(repr, self.result)) if self.operation == "bookings" and self.result != "unknown" else self.result
        return f"{self.operation}{name}{span}{units}: {result}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `check_history` found. True if the history is linearizable; its text is for people."""

    calls: int
    """How many calls were judged."""
    states: int
    """How many configurations were looked at: what the search cost."""
    contradiction: tuple[Call, ...] = ()
    """Calls of one resource that no order explains, as few as were found, in the order in which they began."""
    reason: str = ""
    """What is wrong with the one that no order allows."""

    def __bool__(self) -> bool:
        return not self.contradiction

    def __str__(self) -> str:
        if not self.contradiction:
            return f"linearizable: {self.calls:,} calls"
        rows = [("began", "returned", "process", "call")]
        for call in self.contradiction:
            returned = "never" if call.returned is None else str(call.returned)
            rows.append((str(call.called), returned, str(call.process), str(call)))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        table = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
        head = f"not linearizable: no order explains {len(self.contradiction):,} of {self.calls:,} calls,"
        return "\n  ".join([f"{head} on {self.contradiction[0].resource!r}", *table, self.reason])


def check_history(
    calls: Iterable[Call], *, capacity: int | Mapping[Any, int] = 1, bounds: Literal["[)", "[]"] = "[)"
) -> Verdict:
    """Return whether the calls of all processes can be put into one order that explains every answer.

    ``capacity`` is that of all resources, or a mapping from resource to capacity; ``bounds`` is that of the calendar. No
    booking is active before the first call. If calls cannot be explained, the verdict has a few of one resource that show
    it, of those that began before the first contradiction was complete.

    Raises: `ValueError` when one id is used on several resources, and when a span has no length.
    Complexity: O(n) configurations for n calls in practice; exponential in the calls at once that matter to each other.

    >>> one = Call("p1", 0, 4, "book", "room", id="a", start=9, end=12, result="done")
    >>> two = Call("p2", 2, 6, "book", "room", id="b", start=11, end=13, result="refused")
    >>> bool(check_history([one, two]))
    True
    >>> print(check_history([one, Call("p2", 7, 9, "is_available", "room", start=11, end=13, result=True)]))
    not linearizable: no order explains 2 of 2 calls, on 'room'
      began  returned  process  call
      0      4         p1       book 'a' [9, 12): done
      7      9         p2       is_available [11, 13): True
      no order allows is_available [11, 13): True: 'a' is in the way
    """
    by_resource: defaultdict[Hashable, list[Call]] = defaultdict(list)
    homes: dict[Hashable, Hashable] = {}
    for call in calls:
        by_resource[call.resource].append(call)
        if call.id is not None and homes.setdefault(call.id, call.resource) != call.resource:
            raise ValueError(f"the id {call.id!r} is used on {homes[call.id]!r} and on {call.resource!r}")
    count, states = sum(map(len, by_resource.values())), 0
    for resource, own in by_resource.items():
        judge = _Judge(own, capacity if isinstance(capacity, int) else capacity[resource], bounds == "[]")
        found = judge.search(judge.entries)
        states += found.states
        if found.due is not None:
            return Verdict(count, states, *_shrink(judge, found.due))
    return Verdict(count, states)


class _Entry:
    """A call as the search sees it: a span of places on the axis, and what it does and asks."""

    __slots__ = (
        "again", "call", "frees", "high", "id", "low", "number", "quiet", "salts", "takes", "wants_full", "wants_room",
    )  # fmt: skip

    def __init__(self, number: int, call: Call, low: int, high: int) -> None:
        booking, known = call.operation in ("book", "hold"), call.result != "unknown"
        self.call, self.low, self.high = call, low, high
        self.id = call.id if call.id is not None or not booking else (_Entry, number)
        self.number = number
        self.quiet = known and call.result != "done"
        self.again = not known and call.returned is not None  # it may have ended without effect, but it has ended
        self.takes = booking and not self.quiet
        self.frees = call.operation in ("remove", "expire") and not self.quiet
        self.wants_room = self.takes or call.result is True
        self.wants_full = call.result is False or (booking and (call.result == "refused" or self.again))
        digest = blake2b(b"%d" % number, digest_size=48).digest()
        self.salts = tuple(int.from_bytes(digest[at : at + 16]) for at in (0, 16, 32))  # in the order, active, held

    def matters_to(self, other: _Entry) -> bool:
        """Return whether the two cannot change places where this one comes right before the other one."""
        if self.id is not None and self.id == other.id:
            return True
        if "bookings" in (self.call.operation, other.call.operation):
            return True
        if self.low >= other.high or other.low >= self.high:
            return False
        return (
            (self.frees and other.wants_room)
            or (self.takes and other.wants_full)
            or (self.wants_full and other.frees)
            or (self.wants_room and self.quiet and other.takes)
        )


class _Plain:
    """A calendar of one resource: which bookings are active, and how many units are in use at each place of the axis.

    ``mark`` is a hash of the configuration: the salts of the calls in the order, of the active bookings and of the holds,
    joined by exclusive or. Two configurations have one mark with a probability of 2**-128.
    """

    def __init__(self, capacity: int, places: int, without: frozenset[Hashable]) -> None:
        self.capacity, self.without = capacity, without
        self.use = [0] * places
        self.active: dict[Hashable, _Entry] = {}
        self.held: set[Hashable] = set()
        self.mark = 0

    def room(self, entry: _Entry) -> bool:
        return max(self.use[entry.low : entry.high]) + entry.call.quantity <= self.capacity

    def changes(self, entry: _Entry) -> bool:
        """Return whether the call would change something."""
        if entry.takes:
            return entry.id not in self.active and self.room(entry)
        return entry.id in (self.active if entry.call.operation == "remove" else self.held)

    def stands(self, entry: _Entry) -> bool:
        """Return whether the answer is right although nothing changes."""
        result: Any = entry.call.result
        if entry.takes:
            there = self.active.get(entry.id)
            return there is not None and (there.low, there.high, there.call.quantity) == (
                entry.low, entry.high, entry.call.quantity,
            )  # fmt: skip
        if result is True:
            return self.room(entry)
        if entry.wants_full:
            return not self.room(entry)
        if entry.call.operation == "bookings":
            return bool(self.active.keys() == result - self.without)
        return (entry.id in self.active) == (result in ("exists", "done"))

    def allows(self, entry: _Entry) -> bool:
        """Return whether the call may be the next one in the order."""
        if entry.quiet:
            return self.stands(entry)
        return self.changes(entry) or entry.again or (entry.call.result == "done" and not entry.frees and self.stands(entry))

    def put(self, entry: _Entry) -> tuple[_Entry, bool] | None:
        """Do what the call does, and return what `take_back` needs: the booking and whether it was held, or None."""
        self.mark ^= entry.salts[0]
        if entry.quiet or not self.changes(entry):
            return None
        if entry.takes:
            self._add(entry, entry.call.operation == "hold")
            return entry, False
        there, held = self.active[entry.id], entry.id in self.held
        if entry.frees:
            self._drop(there)
        else:
            self._hold(there)
        return there, held

    def take_back(self, entry: _Entry, done: tuple[_Entry, bool] | None) -> None:
        """Undo `put`."""
        self.mark ^= entry.salts[0]
        if done is None:
            return
        there, held = done
        if entry.takes:
            self._drop(there)
        elif entry.frees:
            self._add(there, held)
        else:
            self._hold(there)

    def _add(self, booking: _Entry, held: bool) -> None:
        self.active[booking.id] = booking
        self.mark ^= booking.salts[1]
        self._count(booking, booking.call.quantity)
        if held:
            self._hold(booking)

    def _drop(self, booking: _Entry) -> None:
        del self.active[booking.id]
        self.mark ^= booking.salts[1]
        self._count(booking, -booking.call.quantity)
        if booking.id in self.held:
            self._hold(booking)

    def _count(self, booking: _Entry, units: int) -> None:
        span = slice(booking.low, booking.high)
        self.use[span] = [used + units for used in self.use[span]]

    def _hold(self, booking: _Entry) -> None:
        """Turn a booking into a hold, or a hold into a booking."""
        self.held ^= {booking.id}
        self.mark ^= booking.salts[2]


@dataclass(slots=True)
class _Found:
    """How far the search came: the due call that could not be put into any order, and the bookings active by then."""

    states: int
    due: _Entry | None = None
    active: tuple[_Entry, ...] = ()


class _Judge:
    """The calls of one resource, and the search for their order."""

    def __init__(self, calls: Iterable[Call], capacity: int, closed: bool) -> None:
        """Place the calls on the axis. Each key is a place, and so is what lies between two keys."""
        self.capacity, self.closed = capacity, closed
        reads = ("is_available", "bookings")  # one without an answer says nothing
        self.calls = [call for call in calls if call.result != "unknown" or call.operation not in reads]
        self.calls.sort(key=lambda call: call.called)
        self.keys: list[Any] = []
        for key in sorted(key for call in self.calls for key in (call.start, call.end) if key is not None):
            if not self.keys or self.keys[-1] < key:
                self.keys.append(key)
        own = [self.span(call) for call in self.calls]
        spans: dict[Hashable, tuple[int, int]] = {}  # by id, over all bookings under it
        for call, span in zip(self.calls, own, strict=True):
            if span and call.operation != "is_available" and call.result in ("done", "unknown"):
                first, last = spans.get(call.id, span)
                spans[call.id] = min(first, span[0]), max(last, span[1])
        self.entries = [
            _Entry(number, call, *(span or spans.get(call.id, (0, 0))))
            for number, (call, span) in enumerate(zip(self.calls, own, strict=True))
        ]

    def span(self, call: Call) -> tuple[int, int] | None:
        """Return the first place of the call's span and the one behind its last, or None for a call without a span."""
        if call.operation not in ("book", "hold", "is_available"):
            return None
        low = 0 if call.start is None else 2 * bisect_left(self.keys, call.start) + 1
        high = 2 * len(self.keys) + 1 if call.end is None else 2 * bisect_left(self.keys, call.end) + 1 + self.closed
        if low >= high:
            raise ValueError(f"the span of {call} has no length")
        return low, high

    def search(self, entries: Sequence[_Entry], without: frozenset[Hashable] = frozenset()) -> _Found:
        """Search an order of some of the calls; *without* are the ids of bookings that have been left out."""
        dues = sorted((entry for entry in entries if entry.call.returned is not None), key=_returned)
        plain = _Plain(self.capacity, 2 * len(self.keys) + 1, without)
        found, furthest = _Found(0), -1
        seen: set[int] = set()
        looked = 0
        # the order so far, with what undoes it; and, for each branch, where it began and what is still to be tried
        order: list[tuple[_Entry, tuple[_Entry, bool] | None]] = []
        branches: list[tuple[int, int, int, list[_Entry], list[_Entry]]] = []
        due, begun = 0, 0  # the first of the dues that is left, and how many of the entries may be put into the order
        opened: list[_Entry] = []  # those of them that are left
        while True:
            while due < len(dues):
                while begun < len(entries) and entries[begun].call.called <= _returned(dues[due]):
                    opened.append(entries[begun])
                    begun += 1
                settled = [entry for entry in opened if entry.quiet and plain.stands(entry)]
                order += [(entry, plain.put(entry)) for entry in settled]
                opened = [entry for entry in opened if entry not in settled]
                if dues[due] in opened:
                    break
                due += 1
            else:
                return _Found(looked)
            tries: list[_Entry] = []
            if plain.mark not in seen:
                seen.add(plain.mark)
                looked += 1
                tries = [entry for entry in _that_matter(dues[due], opened) if plain.allows(entry)]
                if not tries and due > furthest:
                    furthest = due
                    found = _Found(0, dues[due], tuple(plain.active.values()))
            if tries:
                branches.append((len(order), due, begun, opened, tries))
            elif not branches:
                found.states = looked
                return found
            length, due, begun, opened, tries = branches[-1]
            while len(order) > length:
                plain.take_back(*order.pop())
            entry = tries.pop()
            if not tries:
                branches.pop()
            order.append((entry, plain.put(entry)))
            opened = [other for other in opened if other is not entry]


def _returned(entry: _Entry) -> float:
    return _end(entry.call)


def _end(call: Call) -> float:
    return float("inf") if call.returned is None else call.returned


def _that_matter(due: _Entry, opened: list[_Entry]) -> list[_Entry]:
    """Return the due call, if it changes something, and the open calls that do and matter; the last is to be tried first."""
    found, rest = [due], [entry for entry in opened if entry is not due]
    for entry in found:
        nearer = [other for other in rest if other.matters_to(entry)]
        if nearer:
            found += nearer
            rest = [other for other in rest if other not in nearer]
    return sorted((entry for entry in found if not entry.quiet), key=_returned, reverse=True)


def _shrink(judge: _Judge, due: _Entry) -> tuple[tuple[Call, ...], str]:
    """Return as few of the calls as still cannot be explained, and why.

    Calls are left out only where those that are left could be explained if all could: what began after the due call had
    returned, and the answers of what returned later; then calls that change nothing, and confirmations of what does not run
    out; then all calls of one id, if no answer that is left may be due to its booking.
    """
    end = _returned(due)
    early = [
        entry.call for entry in judge.entries if entry.call.called <= end and (not entry.quiet or _returned(entry) <= end)
    ]
    cut = _Judge(
        [replace(call, returned=None, result="unknown") if _end(call) > end else call for call in early],
        judge.capacity, judge.closed,
    )  # fmt: skip

    def fails(groups: Iterable[Sequence[_Entry]]) -> bool:
        return cut.search(*kept(groups)).due is not None

    def kept(groups: Iterable[Sequence[_Entry]]) -> tuple[list[_Entry], frozenset[Hashable]]:
        left = sorted((entry for group in groups for entry in group), key=lambda entry: entry.number)
        return left, frozenset(lives.keys() - {entry.id for entry in left if not entry.quiet})

    holds = {entry.id for entry in cut.entries if entry.call.operation == "expire"}
    answers: list[list[_Entry]] = []
    lives: defaultdict[Hashable, list[_Entry]] = defaultdict(list)
    for entry in cut.entries:
        if entry.quiet or (entry.call.operation == "confirm" and entry.id not in holds):
            answers.append([entry])
        else:
            lives[entry.id].append(entry)
    answers = _fewest(answers, lambda few: fails([*few, *lives.values()]))
    needed: list[list[_Entry]] = []
    others: list[list[_Entry]] = []
    for life in lives.values():
        (needed if any(_may_explain(life, answer) for (answer,) in answers) else others).append(life)
    others = _fewest(others, lambda few: fails([*answers, *needed, *few]))
    left, without = kept([*answers, *needed, *others])
    return tuple(early[entry.number] for entry in left), _reason(cut.search(left, without), judge.capacity)


def _may_explain(life: Sequence[_Entry], answer: _Entry) -> bool:
    """Return whether a booking, told by the calls that change it, may be why a span was not available, or its id there."""
    last = life[-1]
    removed = last.frees and last.call.result == "done" and all(_returned(entry) < last.call.called for entry in life[:-1])
    if removed and _returned(last) < answer.call.called:
        return False
    if answer.call.result in ("exists", "done"):
        return answer.id == last.id
    return answer.wants_full and any(entry.low < answer.high and answer.low < entry.high for entry in life)


def _fewest(groups: list[list[_Entry]], fails: Callable[[list[list[_Entry]]], bool]) -> list[list[_Entry]]:
    """Leave out as many of the groups as possible, many at once first, so that what is left still fails."""
    size = len(groups)
    while size:
        at = 0
        while at < len(groups):
            fewer = groups[:at] + groups[at + size :]
            if fails(fewer):
                groups = fewer
            else:
                at += size
        size //= 2
    return groups


def _reason(found: _Found, capacity: int) -> str:
    """Say what is wrong with the call that no order allows."""
    due = found.due
    assert due is not None, "what failed once fails again"
    in_the_way = [entry for entry in found.active if entry.low < due.high and due.low < entry.high]
    names = ", ".join(repr(entry.call.id) for entry in (found.active if due.call.operation == "bookings" else in_the_way))
    if due.call.operation == "bookings":
        why = f"active are {names}" if names else "nothing is active"
    elif due.wants_room:
        why = f"{names or 'a booking of this id'} is in the way"
    elif due.wants_full:
        why = f"only {names} is in the way, of {capacity} units" if names else "nothing is in the way"
    else:
        active = any(entry.id == due.id for entry in found.active)
        why = "the booking is active" if active else "no such booking is active"
    return f"no order allows {due.call}: {why}"
