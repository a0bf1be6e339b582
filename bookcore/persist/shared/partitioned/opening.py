"""`open_partitioned`: from the address of a calendar in partitions to `PartitionedCalendar`.

The journals of a process share what waits and what reads: one connection that listens, one that reads, one thread that
follows. Each has a connection of its own to write, from its first command on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from functools import partial
from time import monotonic
from typing import Any

from bookcore.model.errors import QueryError
from bookcore.model.numpy_scalars import python_int
from bookcore.model.typecheck import is_a
from bookcore.persist.journal.past import PastRecorder
from bookcore.persist.journal.reading import Asked, C, Make, Moment
from bookcore.persist.shared.follower import Follower
from bookcore.persist.shared.opening import Divided, Sharing, open_on
from bookcore.persist.shared.partitioned.calendar import PartitionedCalendar
from bookcore.persist.shared.partitioned.division import first_number
from bookcore.persist.shared.partitioned.parts import DIRECTORY, Part
from bookcore.persist.shared.past import open_past
from bookcore.persist.shared.pgschema import Address
from bookcore.persist.shared.postgres import PostgresJournal
from bookcore.persist.shared.recorder import SharedRecorder
from bookcore.persist.shared.replaying import empty
from bookcore.persist.shared.seam import Beginning, Place


def open_partitioned(
    make: Make[Any], address: str, known: dict[str, type], divided: Divided, asked: Asked, how: Sharing
) -> PartitionedCalendar:
    """See `Calendar.open`."""
    where = Address.of(address)
    count: Any = where.partitions
    held = check_numbers(divided.numbers, count)
    make_directory, adopt = divided.make_directory, divided.adopt
    options: dict[str, Any] = {"sync": how.sync, "timeout": how.timeout}
    each_alone = how._replace(follow=False)
    members: list[Part] = []
    journal = PostgresJournal(address, **options, begin=Beginning.empty(asked.bounds) if how.create else None)
    try:
        first: PostgresJournal = journal
        members.append(_part(make_directory, adopt, DIRECTORY, journal, known, Asked(asked.bounds), each_alone))
        for number in range(count) if how.create else held:
            start = empty(where.name, asked, first_number(number)) if how.create else None
            place = f"{address}&partition={number}"
            with first.reading("cannot be opened") as connection:
                journal = PostgresJournal(place, **options, begin=start, opened_by=connection, part_of=where.name)
            journal.read_beside(first)
            if number in held:
                members.append(_part(make, adopt, number, journal, known, asked, each_alone))
        news = News(members)
        if how.follow:
            news.follow()
    except BaseException:
        for each in (journal, *(member.recorder.journal for member in reversed(members))):
            each.close()
        raise
    return PartitionedCalendar(where, members[0], members[1:], divided.key, first.idle, news)


def _part(
    make: Make[Any], adopt: Callable[[Any, Any], Any], number: int, journal: PostgresJournal, known: dict[str, type],
    asked: Asked, how: Sharing,
) -> Part:  # fmt: skip
    calendar, recorder = open_on(make, journal, known, asked, how)
    return Part(number, adopt(calendar, recorder), recorder.state, recorder)


def open_partitioned_past(
    make: Make[Any], address: str, known: dict[str, type], divided: Divided, as_of: Any, asked: Asked, timeout: float
) -> PartitionedCalendar:
    """See `Calendar.open`: all partitions as they stand at one instant, or as of a tuple of positions."""
    where = Address.of(address)
    count: Any = where.partitions
    held = check_numbers(divided.numbers, count)
    positions = heads_of(address, held, timeout)
    if as_of != "now":
        if not is_a(as_of, tuple) or len(as_of) != count or any(type(as_of[number]) is not int for number in held):
            way = "open one partition by partition=... in the address for an instant or a position of it"
            raise QueryError(as_of, f"as_of is 'now' here, or a position: a tuple of {count} numbers; {way}")
        positions |= {number: as_of[number] for number in held}

    def part(made: Make[Any], number: int, wanted: Asked) -> Part:
        calendar, past = open_part_past(made, address, number, positions[number], known, wanted, timeout)
        adopted = divided.adopt(calendar, past)
        return Part(number, adopted, adopted._engine.state, past)

    directory = part(divided.make_directory, DIRECTORY, Asked())
    parts = [part(make, number, asked) for number in held]
    return PartitionedCalendar(where, directory, parts, divided.key, [], parts[0].recorder)


def heads_of(address: str, numbers: Iterable[int], timeout: float) -> dict[int, int]:
    """Return the positions of the directory and of these partitions, by number, as they stand at one instant."""
    name = Address.of(address).whole
    rows = {DIRECTORY: name} | {number: f"{name}/{number}" for number in numbers}
    with closing(PostgresJournal(address, timeout=timeout)) as journal:
        heads = journal.heads(list(rows.values()))
    # one that is gone is named where it is opened
    return {number: heads[row].position if row in heads else 0 for number, row in rows.items()}


def open_part_past(
    make: Make[C], address: str, number: int, position: int, known: dict[str, type], asked: Asked, timeout: float
) -> tuple[C, PastRecorder]:
    """Return the directory or a partition as it was after a record, and its journal. Raises: as `open_past`."""
    part_of = None if number == DIRECTORY else Address.of(address).name
    place = address if number == DIRECTORY else f"{address}&partition={number}"
    reopen = partial(PostgresJournal, place, timeout=timeout, part_of=part_of)
    return open_past(make, reopen, known, Moment.of(position), asked)


def check_numbers(numbers: Any, count: int) -> tuple[int, ...]:
    """Return the numbers of the partitions to hold, in order. Raises: `QueryError` unless they are some that there are."""
    if numbers is None:
        return tuple(range(count))
    given: list[Any] = list(numbers) if is_a(numbers, (Iterable,)) and not is_a(numbers, (str, bytes)) else []
    held = [python_int(number) for number in given]
    if not held or not all(number is not None and 0 <= number < count for number in held):
        raise QueryError(numbers, f"partitions are the numbers of those to hold, of 0 to {count - 1}")
    return tuple(sorted({number for number in held if number is not None}))


class News:
    """What other processes have done, for all parts together: to a `Follower` it is a recorder, and its journal."""

    def __init__(self, members: Sequence[Part]) -> None:
        self.members = list(members)
        self.journal = _Journals([member.recorder.journal for member in members])
        self.follower: Follower | None = None

    @property
    def place(self) -> tuple[Place, ...]:
        """The place of each member."""
        return tuple(member.recorder.place for member in self.members)

    def follow(self) -> None:
        """Start the thread that follows."""
        self.follower = Follower(self, self.members[0].recorder.name)
        for member in self.members:
            member.recorder.follower = self.follower

    def fresh_for(self) -> float:
        """See `SharedRecorder.fresh_for`: for as long as that is so of each member."""
        return float(min(member.recorder.fresh_for() for member in self.members))

    def is_open(self) -> bool:
        """Tell whether the calendar was not closed."""
        return bool(self.members[0].recorder.is_open())

    def catch_up(self) -> None:
        """Bring each member up to date that is not."""
        recorder: SharedRecorder = self.members[0].recorder
        recorder.check_open()
        for member, is_behind in zip(self.members, self.journal.are_behind(self.place), strict=True):
            if is_behind:
                member.recorder.catch_up()

    def end_lost_block(self) -> None:
        """See `SharedRecorder.end_lost_block`."""
        for member in self.members:
            member.recorder.end_lost_block()

    def checkpoint_if_due(self) -> None:
        """See `SharedRecorder.checkpoint_if_due`."""
        for member in self.members:
            member.recorder.checkpoint_if_due()

    def close(self) -> None:
        """Close all: the directory last, because it has the connections of all."""
        if self.follower is not None and self.is_open():
            self.follower.join()
        try:
            for member in reversed(self.members):
                member.recorder.follower = None
                member.recorder.close()
        finally:
            self.journal.close()


class _Journals:
    """The journals of all parts, of which the first reads for all."""

    def __init__(self, journals: Sequence[PostgresJournal]) -> None:
        self._journals = list(journals)

    def are_behind(self, places: tuple[Place, ...]) -> list[bool]:
        """Tell of each whether it has another last record than its place here."""
        begun, heads = monotonic(), self._journals[0].heads([journal.row for journal in self._journals])
        behind = [heads.get(journal.row) != place for journal, place in zip(self._journals, places, strict=True)]
        for journal, is_behind in zip(self._journals, behind, strict=True):
            if not is_behind:
                journal.note_complete(begun)
        return behind

    def wait(self, places: tuple[Place, ...], timeout: float, *, again: bool = False) -> bool:
        """Wait until one of them has another last record than its place here, and tell whether that came in time."""
        known = {journal.row: place.position for journal, place in zip(self._journals, places, strict=True)}
        return self._journals[0].wait_until(
            lambda: any(self.are_behind(places)), lambda name, position: position > known.get(name, position), timeout, again
        )

    def close(self) -> None:
        """Give back what the journals hold."""
        for journal in reversed(self._journals):
            journal.close()
