"""`PartitionedSelection`: a set of resources in several partitions, as one `Selection` in each.

A resource is in one partition alone, so sets are joined partition by partition; numbers of resources add up, and lists are
put into the order of registration, which the directory tells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import and_, itemgetter, or_, sub, xor
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from bookcore.engine.engine import UNSET
from bookcore.index.attribute_index import MISSING
from bookcore.index.bitmap import pick
from bookcore.model.errors import QueryError, attempt
from bookcore.model.numpy_scalars import python_int
from bookcore.model.term import No
from bookcore.model.typecheck import is_a
from bookcore.persist.shared.partitioned.registration import Registration
from bookcore.query.planner import sorted_by
from bookcore.query.selection import Selection, listed_values

T = TypeVar("T")

FEW = 16
"""If less than one of so many resources match, each is looked up, which takes as long as selecting from that many."""


class Found(NamedTuple):
    """A resource that matches: its record, and where it is."""

    record: Any
    part: Any


class PartitionedSelection:
    """See `bookcore.query.selection.Selection`: the same calls, on resources of several partitions.

    The partitions are read one after the other: what changes several of them in one transaction may be seen in one of them,
    and not yet in another.
    """

    __slots__ = ("_home", "_order", "_selections")
    _is_selection = True

    def __init__(
        self, home: Any, selections: Sequence[Selection[Any]], order: str | Callable[[Any], Any] | None = None
    ) -> None:
        """*home* is the calendar; there is one selection for each of its ``parts``."""
        self._home, self._selections, self._order = home, tuple(selections), order

    # -- reading -----------------------------------------------------------------------------------

    def found(self, limit: int | None = None) -> list[Found]:
        """Return what matches, all or the first *limit*, in order."""
        few = limit if self._order is None else None
        every = [Found(record, part) for part, records in self._each(few) for record in records]
        places = self._home.places([each.record.id for each in every])
        every = [every[at] for at in sorted(range(len(every)), key=places.__getitem__)]
        if self._order is not None:
            every = sorted_by(every, self._value_of, every)
        return every[:limit]

    def _shown(self, shown: str) -> list[Any]:
        """Return all that matches, in order, each as its ``id`` or as its ``resource``."""
        if self._order is not None:
            return [getattr(each.record, shown) for each in self.found()]
        known: Registration = self._home.registration
        directory = self._home.directory.state
        columns = [directory.gate.ask(False, _column, directory.registry, known.columns[0])]
        places: list[int] = []
        for selection, column in zip(self._selections, known.columns[1:], strict=True):
            bits, column = selection._planner.gate.ask(True, _matching, selection, column)
            places.append(bits)
            columns.append(column)
        if any(one is not other for one, other in zip(columns, known.columns, strict=True)):
            known = self._home.registration = Registration(columns)
        if sum(bits.bit_count() for bits in places) * FEW > len(known):
            return known.select(places, shown)
        few = [record for bits, column in zip(places, columns[1:], strict=True) for record in pick(bits, column)]
        return [getattr(record, shown) for _, record in self._by_place(few)]

    def _first(self, limit: int) -> list[Any]:
        """Return the first *limit* resources that match, in order."""
        if self._order is not None:
            return [each.record.resource for each in self.found(limit)]
        share = min(limit, 3 + 2 * limit // len(self._selections))  # mostly enough, because ids spread evenly
        shares = [share] * len(self._selections)
        each = [records for _, records in self._each(share)]
        while True:
            first = [record for _, record in self._by_place([record for records in each for record in records])[:limit]]
            # what a partition has beyond its share comes after the last one that it told
            before = {*(first[:-1] if len(first) == limit else first)}
            short = [at for at, some in enumerate(each) if 0 < len(some) == shares[at] < limit and some[-1] in before]
            if not short:
                return [record.resource for record in first]
            for at in short:
                selection, shares[at] = self._selections[at], limit
                each[at] = selection._planner.select(selection._term, None, limit, "records")

    def _by_place(self, records: list[Any]) -> list[tuple[int, Any]]:
        """Return records in order of registration, each after its place."""
        places = self._home.places([record.id for record in records])
        return sorted(zip(places, records, strict=True), key=itemgetter(0))

    def _each(self, limit: int | None) -> list[tuple[Any, list[Any]]]:
        """Return the records that match in each partition, the first *limit* of each."""
        return [
            (part, selection._planner.select(selection._term, None, limit, "records"))
            for part, selection in zip(self._home.parts, self._selections, strict=True)
        ]

    def _value_of(self, found: Found) -> Any:
        order: Any = self._order
        if callable(order):
            return order(found.record.resource)
        value = found.part.state.registry.indexes.index(order).values.get(found.record.number, MISSING)
        return None if value is MISSING else value

    def __iter__(self) -> Iterator[Any]:
        return iter(self._shown("resource"))

    def __len__(self) -> int:
        return sum(map(len, self._selections))

    def count(self) -> int:
        """Return the number of resources."""
        return len(self)

    def __bool__(self) -> bool:
        return any(self._selections)

    def __contains__(self, resource: object) -> bool:
        number = attempt(lambda: self._home.partition_of(resource), None)
        parts = zip(self._home.parts, self._selections, strict=True)
        return any(part.number == number and resource in selection for part, selection in parts)

    def first(self, n: int = UNSET) -> Any:
        """Return the first resource, or None; with *n* a list of the first *n*. Raises: `QueryError`."""
        if n is UNSET:
            return next(iter(self._first(1)), None)
        count = python_int(n)
        if count is None or count < 0:
            raise QueryError(n, "first(n) takes how many, an int of at least 0")
        return self._first(count)

    def ids(self) -> list[Any]:
        """Return the ids of the resources, in the same order as iteration."""
        return self._shown("id")

    if not TYPE_CHECKING:
        __reversed__, __getitem__ = None, Selection.__getitem__  # which refuses

    # -- combining ---------------------------------------------------------------------------------

    def order_by(self, by: str | Callable[[Any], Any]) -> PartitionedSelection:
        """Return the same resources in order of an index, given by name, or of a key function. Raises: `QueryError`."""
        return PartitionedSelection(self._home, self._selections, self._selections[0].order_by(by)._order)

    def _joined(self, other: object, join: Callable[[Any, Any], Any]) -> Any:
        if not is_a(other, (Iterable, type)) or is_a(other, (str, bytes)):
            return NotImplemented
        others = terms_in_parts([other], self._home)
        joined = [join(one, two) for one, (two,) in zip(self._selections, others, strict=True)]
        return PartitionedSelection(self._home, joined)

    def __and__(self, other: object) -> Any:
        return self._joined(other, and_)

    def __or__(self, other: object) -> Any:
        return self._joined(other, or_)

    def __sub__(self, other: object) -> Any:
        return self._joined(other, sub)

    def __rsub__(self, other: object) -> Any:
        return self._joined(other, lambda one, two: two - one)

    def __xor__(self, other: object) -> Any:
        return self._joined(other, xor)

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__

    def __invert__(self) -> PartitionedSelection:
        return PartitionedSelection(self._home, [~selection for selection in self._selections])

    def __repr__(self) -> str:
        order = f", order_by {self._order!r}" if self._order is not None else ""
        return f"<PartitionedSelection {self._selections[0]._term}{order}>"


def terms_in_parts(terms: Iterable[Any], home: Any) -> list[list[Any]]:
    """Return for each of the partitions what the arguments of `Calendar.find` are there.

    Raises: `QueryError` for a selection of another calendar; what the iteration of a term raises.
    """
    return _in_parts(list(terms), home, frozenset())


def _in_parts(term: Any, home: Any, inside: frozenset[int]) -> list[Any]:
    parts = len(home.parts)
    if not is_a(term, (PartitionedSelection, No, list)):
        if hasattr(type(term), "__next__"):
            term = tuple(term)  # each partition iterates over it
        return [term] * parts
    if is_a(term, PartitionedSelection):
        if term._home is not home:
            raise QueryError(term, "belongs to another calendar")
        return list(term._selections)
    if id(term) in inside:
        raise QueryError(type(term), "a term that contains itself")
    inside = inside | {id(term)}
    if is_a(term, No):
        return list(map(No, _in_parts(term.term, home, inside)))
    items = [_in_parts(item, home, inside) for item in term]
    return [list(each) for each in zip(*items, strict=True)] if items else [[] for _ in range(parts)]


def _matching(selection: Selection[Any], known: list[Any]) -> tuple[int, list[Any]]:
    """Return a bitmap of what matches in a partition, and the records by number. The lock is held."""
    registry = selection._planner.state.registry
    return selection._planner.evaluate(selection._term, registry.everything.value()), _column(registry, known)


def _column(registry: Any, known: list[Any]) -> list[Any]:
    """Return the records of a registry by number: *known*, if it has the same ones, else a copy. The lock is held."""
    return known if registry.by_number == known else list(registry.by_number)


class PartitionedIndex(Generic[T]):
    """See `bookcore.query.selection.IndexView`: one index of each partition, under one name.

    Or `bookcore.query.booking_view.BookingIndexView`: *join* makes one answer of those of the partitions.
    """

    __slots__ = ("_join", "_views", "name")

    def __init__(self, views: Sequence[Any], join: Callable[[list[Any]], T]) -> None:
        self._views, self._join, self.name = tuple(views), join, views[0].name

    def between(self, low: Any, high: Any) -> T:
        """Return those with ``low <= value <= high``; None means no limit on that side."""
        return self._join([view.between(low, high) for view in self._views])

    def equal(self, value: Any) -> T:
        """Return those with this value."""
        return self._join([view.equal(value) for view in self._views])

    def one_of(self, values: Iterable[Any]) -> T:
        """Return those whose value is in *values*. Raises: `QueryError` when *values* cannot be iterated."""
        listed = listed_values(values)
        return self._join([view.one_of(listed) for view in self._views])

    def __repr__(self) -> str:
        return f"<PartitionedIndex {self.name!r}>"
