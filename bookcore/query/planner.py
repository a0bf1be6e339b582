"""The planner: from a question (a term of `bookcore.model.term`) to the resources that match.

    is_available, book      `Rules.allows`     one resource, by whatever may be in the way
    len, list, find         `evaluate`         a bitmap: `Rules.blocked` for all, or `Rules.allows` for each of a few
    first(n)                `_first_bits`      cheap terms for all, then one candidate after the other until there are enough

Every step takes a term and the numbers it may choose from, and returns those of them that match. So a conjunction narrows as
it goes, cheap terms first, and by the time availability is asked about, a handful of candidates may be left, which are then
asked one by one instead of reading the occupancy of all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Literal

from bookcore.engine.state import CalendarState
from bookcore.index.attribute_index import is_nan
from bookcore.index.bitmap import first_ordinals, from_ordinals, ordinals, pick
from bookcore.model.errors import QueryError, brief
from bookcore.model.term import All, And, Available, Between, Kind, Members, Not, OneOf, Or, Tagged, Term, Xor
from bookcore.model.typecheck import is_a
from bookcore.stores.record import ResourceRecord

__all__ = ["Planner"]

Order = str | Callable[[Any], Any] | None
"""The name of an index, a key function, or None: in order of registration."""

Shape = Literal["objects", "ids", "records"]
"""What is returned for each resource that matches."""


class Planner:
    """Answers questions about one calendar."""

    __slots__ = ("_by_term", "state")

    def __init__(self, state: CalendarState) -> None:
        self.state = state
        registry = state.registry
        self._by_term: dict[type[Term], Callable[[Any, int], int]] = {
            All: lambda term, within: within,
            Kind: lambda term, within: registry.of_class(term.cls, within),
            Tagged: lambda term, within: within & registry.tagged(term.label),
            Between: lambda term, within: within & registry.index(term.index).between(term.low, term.high),
            OneOf: lambda term, within: within & registry.index(term.index).one_of(term.values),
            Available: self._available,
            Members: self._members,
            Not: lambda term, within: within ^ self.evaluate(term.term, within),
            And: self._and,
            Or: self._or,
            Xor: lambda term, within: self.evaluate(term.left, within) ^ self.evaluate(term.right, within),
        }

    # -- whole questions ---------------------------------------------------------------------------

    def count(self, term: Term) -> int:
        """Return how many resources match."""
        state = self.state
        with state.gate.read:
            return self.evaluate(term, state.registry.everything.value()).bit_count()

    def matches(self, term: Term, resource: Any) -> bool:
        """Tell whether one resource matches."""
        state = self.state
        with state.gate.read:
            try:
                record = state.registry.record(resource)
            except LookupError:
                return False
            return bool(self.evaluate(term, 1 << record.number))

    def select(self, term: Term, order: Order, limit: int | None, shape: Shape = "objects") -> list[Any]:
        """Return the resources that match, all or the first *limit*, in order.

        A key function runs outside the calendar's lock.
        """
        registry = self.state.registry
        with self.state.gate.read:
            objects = registry.objects
            shown: list[Any] = objects if shape == "objects" else registry.by_number
            if order is None:
                if limit is None or limit > self.state.sizes.few:
                    bits = self.evaluate(term, registry.everything.value())
                else:
                    bits = self._first_bits(term, limit)
                found = pick(bits, shown) if limit is None else _pick_first(bits, shown, limit)
                return [record.id for record in found] if shape == "ids" else found
            bits = self.evaluate(term, registry.everything.value())
            if is_a(order, str):
                numbers = registry.index(order).in_order(bits)
                found = [shown[number] for number in (numbers if limit is None else islice(numbers, limit))]
                return [record.id for record in found] if shape == "ids" else found
            candidates = pick(bits, objects)
            shown = pick(bits, shown)
        found = _sorted_by(candidates, order, shown)[:limit]  # type: ignore[arg-type]  # a function, if no text
        # ids as registered: the resource's own code is not asked for its present id
        return [record.id for record in found] if shape == "ids" else found

    # -- terms -------------------------------------------------------------------------------------

    def evaluate(self, term: Term, within: int) -> int:
        """Return the numbers in *within* that match. The lock is held. A few integer operations a term."""
        return self._by_term[type(term)](term, within)

    def _available(self, term: Available, within: int) -> int:
        """Return the resources in *within* that have room, as `Rules.allows` says, for all at once."""
        state = self.state
        registry = state.registry
        low, high = state.keys.admit(term.start, term.end)
        quantity = term.quantity
        everything = registry.everything.value()
        if (within is not everything and within.bit_count() <= state.sizes.few) or len(registry.by_id) <= 8:
            return from_ordinals(self._filtered(ordinals(within), low, high, quantity), registry.size)
        return within ^ (within & state.rules.blocked(low, high, quantity))

    def _filtered(self, numbers: Iterable[int], low: Any, high: Any, quantity: int, wanted: bool = True) -> Iterator[int]:
        """Yield those of *numbers* that have room (*wanted* false: that have none), each asked by itself."""
        state = self.state
        records, allows = state.registry.by_number, state.rules.allows_or_false
        by_index = quantity == 1 and not state.gate.waiting  # the index of an exclusive resource still has hidden rows
        for number in numbers:
            record = records[number]
            if record is not None:
                # what `Rules.allows` asks where only bookings decide
                index = record.fast_index if by_index and not record.rules else None
                if bool(allows(record, low, high, quantity) if index is None else index.is_free(low, high)) is wanted:
                    yield number

    def _members(self, term: Members, within: int) -> int:
        registry = self.state.registry
        try:
            found = list(map(registry.by_id.get, term.ids))
        except Exception as exc:  # the object's own code
            raise QueryError(term, f"has something that cannot be compared with ids ({type(exc).__name__})") from exc
        return within & from_ordinals([record.number for record in found if record is not None], registry.size)

    def _and(self, term: And, within: int) -> int:
        for part in sorted(term.terms, key=_cost):
            if not within:
                break
            within = self.evaluate(part, within)
        return within

    def _or(self, term: Or, within: int) -> int:
        result = 0
        for part in term.terms:
            result |= self.evaluate(part, within ^ result)
        return result

    def _narrow(self, term: Term, within: int) -> tuple[int, Term]:
        """Answer the cheap part of a conjunction; return the candidates left, and the question left (`All`: none)."""
        parts = term.terms if isinstance(term, And) else (term,)
        rest = []
        for part in parts:
            if _cost(part) == _DEAR:
                rest.append(part)
            else:
                within = self.evaluate(part, within)
        return within, rest[0] if len(rest) == 1 else And(tuple(rest)) if rest else All()

    def _first_bits(self, term: Term, limit: int) -> int:
        """Return at least the first *limit* matches, or all there are.

        Cheap terms once for all resources; then the first few dozen candidates are asked one by one, which mostly gives
        enough, before the whole occupancy is read for the rest.
        """
        state = self.state
        candidates, term = self._narrow(term, state.registry.everything.value())
        if isinstance(term, All):
            return candidates
        numbers = first_ordinals(candidates)
        plain = term.term if isinstance(term, Not) else term
        found = asked = 0
        if isinstance(plain, Available):  # the commonest question: no candidate is asked more than needed
            low, high = state.keys.admit(plain.start, plain.end)
            few = islice(numbers, 2 * (limit + state.sizes.few))
            first = list(islice(self._filtered(few, low, high, plain.quantity, plain is term), limit))
            found = from_ordinals(first, first[-1] + 1) if first else 0
            if len(first) == limit or (unasked := next(numbers, None)) is None:
                return found
            return found | self.evaluate(term, candidates >> unasked << unasked)
        for width in (2 * limit + 8, state.sizes.few, state.sizes.few):
            some = list(islice(numbers, width))
            window = from_ordinals(some, some[-1] + 1) if some else 0
            found |= self.evaluate(term, window)
            asked |= window
            if found.bit_count() >= limit or not window:
                return found
        return found | self.evaluate(term, candidates ^ asked)

    # -- choosing a resource to book ---------------------------------------------------------------

    def records(self, term: Term, order: Order, limit: int | None = None) -> list[ResourceRecord]:
        """Return the records of the resources that match (the first *limit*), in order. The lock is held."""
        return self.select(term, order, limit, "records")


_DEAR = 3


def _cost(term: Term) -> int:
    """Return how late in a conjunction a term is asked: bitmaps at hand, then scans, then the timeline."""
    if isinstance(term, All | Kind | Tagged):
        return 0
    if isinstance(term, Between | OneOf | Members):
        return 1
    if isinstance(term, Available):
        return _DEAR
    if isinstance(term, Not):
        return _cost(term.term)
    if isinstance(term, Xor):
        return max(_cost(term.left), _cost(term.right))
    if isinstance(term, And | Or):
        return max(map(_cost, term.terms), default=0)
    return 2


def _pick_first(bits: int, objects: list[Any], n: int) -> list[Any]:
    """Return the first *n* objects of *bits*, reading it 4,096 numbers at a time."""
    found: list[Any] = []
    base = 0
    while len(found) < n and bits:
        some = bits & ((1 << 4096) - 1)
        found += pick(some, objects[base : base + some.bit_length()])
        bits >>= 4096
        base += 4096
    return found[:n]


def _sorted_by(found: list[Any], key: Callable[[Any], Any], shown: list[Any] | None = None) -> list[Any]:
    """Return *found* in order of *key*, stable, those without a value last; or what is *shown* for each of them."""
    valued, missing = [], []
    for resource, thing in zip(found, found if shown is None else shown, strict=True):
        try:
            value = key(resource)
            has = value is not None and not is_nan(value)
        except (AttributeError, LookupError):
            has = False
        except Exception as exc:
            raise QueryError(resource, f"the key of order_by raised {type(exc).__name__}: {exc}") from exc
        if has:
            valued.append((value, thing))
        else:
            missing.append(thing)
    try:
        valued.sort(key=lambda pair: pair[0])
    except Exception as exc:
        raise QueryError(key, f"order_by got values that cannot be ordered: {brief(str(exc))}") from exc
    return [thing for _, thing in valued] + missing
