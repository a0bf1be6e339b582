"""The planner: finds the resources that match a term of `bookcore.model.term`.

    is_available, book      `Rules.allows`     one resource
    len, list, find         `evaluate`         a bitmap: `Rules.blocked` for all, or `Rules.allows` for each of a few
    first(n)                `_first`           cheap terms for all, then one candidate after the other until enough match

Every step takes a term and a bitmap of candidates, and returns the candidates that match. A conjunction evaluates cheap
terms first, each on the candidates that the terms before have left. If few are left for availability, they are checked one
by one, instead of reading the occupancy of all resources.

A term may be part of a question many times (``s = s & s``, again and again). Such a term is evaluated once, on all
candidates of the question, before the terms that it is part of.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import islice
from operator import attrgetter
from typing import Any, Literal, NoReturn, TypeAlias

from bookcore.engine.gate import question
from bookcore.engine.state import CalendarState
from bookcore.index.attribute_index import is_nan
from bookcore.index.bitmap import first_ordinals, from_ordinals, ordinals, pick
from bookcore.model.errors import LACKING, KeyTypeError, QueryError, blaming, brief
from bookcore.model.keys import KeyFamily
from bookcore.model.term import (
    DEAR,
    All,
    And,
    Available,
    Between,
    Kind,
    Members,
    Not,
    OneOf,
    Or,
    Tagged,
    Term,
    Xor,
    repeated,
    unwound,
)
from bookcore.model.typecheck import is_a

_Known: TypeAlias = dict[int, int]
"""The matches of terms that were evaluated on all candidates, by identity of the term."""

_cost = attrgetter("cost")

Order = str | Callable[[Any], Any] | None
"""The name of an index, a key function, or None for the order of registration."""

Shape = Literal["objects", "ids", "records"]
"""What is returned for each resource that matches."""

Steps = int | Generator[Any, int, int]
"""A bitmap, or the steps to it, for `unwound`."""


class Planner:
    """Evaluates terms for one calendar."""

    __slots__ = ("_joined", "_simple", "gate", "state")

    def __init__(self, state: CalendarState) -> None:
        self.state, self.gate = state, state.gate
        registry = state.registry
        self._simple: dict[type[Term], Callable[[Any, int], int]] = {
            All: lambda term, within: within,
            Kind: lambda term, within: registry.of_class(term.cls, within),
            Tagged: lambda term, within: within & registry.tagged(term.label),
            Between: lambda term, within: within & registry.indexes.index(term.index).between(term.low, term.high),
            OneOf: lambda term, within: within & registry.indexes.index(term.index).one_of(term.values),
            Available: self._available,
            Members: self._members,
        }
        self._joined: dict[type[Term], Callable[[Any, int, _Known], Steps]] = {
            Not: self._not,
            And: self._and,
            Or: self._or,
            Xor: self._xor,
        }

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        """Refuse deepcopy and pickle of a `Selection`, which would have to copy the calendar."""
        self.state.__reduce_ex__(protocol)

    # -- whole questions ---------------------------------------------------------------------------

    @question
    def count(self, term: Term) -> int:
        """Return the number of resources that match."""
        state = self.state
        return self.evaluate(term, state.registry.everything.value()).bit_count()

    @question
    def matches(self, term: Term, resource: Any) -> bool:
        """Tell whether one resource matches."""
        state = self.state
        try:
            record = state.registry.record(resource)
        except LookupError:
            return False
        return bool(self.evaluate(term, 1 << record.number))

    def select(self, term: Term, order: Order, limit: int | None, shape: Shape = "objects") -> list[Any]:
        """Return the resources that match, all or the first *limit*, in order. A key function runs without the lock."""
        if order is None or is_a(order, str):
            return self._select(term, order, limit, shape)
        resources, shown = self._unordered(term, shape)
        matches = sorted_by(resources, order, shown)[:limit]  # type: ignore[arg-type]  # a function, if no text
        # ids of the records, as registered: an object's own id may have changed
        return [record.id for record in matches] if shape == "ids" else matches

    @question
    def _unordered(self, term: Term, shape: Shape) -> tuple[list[Any], list[Any]]:
        """Return the resources that match, as objects and as *shape* shows them; a record for its id."""
        registry = self.state.registry
        bits = self.evaluate(term, registry.everything.value())
        return pick(bits, registry.objects), pick(bits, registry.objects if shape == "objects" else registry.by_number)

    @question
    def _select(self, term: Term, order: Any, limit: int | None, shape: Shape) -> list[Any]:
        """Do what `select` does, in order of registration or of an index."""
        registry = self.state.registry
        shown: list[Any] = registry.objects if shape == "objects" else registry.by_number
        if order is not None:
            numbers = registry.indexes.index(order).in_order(self.evaluate(term, registry.everything.value()))
            matches = [shown[number] for number in islice(numbers, limit)]
        elif limit is None:
            matches = pick(self.evaluate(term, registry.everything.value()), shown)
        elif limit <= self.state.sizes.few:
            matches = [shown[number] for number in self._first(term, limit)]
        else:
            matches = _pick_first(self.evaluate(term, registry.everything.value()), shown, limit)
        return [record.id for record in matches] if shape == "ids" else matches

    # -- terms -------------------------------------------------------------------------------------

    def evaluate(self, term: Term, within: int) -> int:
        """Return a bitmap of the resources in *within* that match. The lock is held. A few integer operations a term."""
        simple = self._simple.get(type(term))
        if simple is not None:
            return simple(term, within)
        known: _Known = {}
        for shared in repeated(term):
            known[id(shared)] = unwound(self._found(shared, within, known))
        matches: int = unwound(self._found(term, within, known))
        return matches

    def _found(self, term: Term, within: int, known: _Known) -> Steps:
        """Do what `evaluate` does, where the terms in *known* have been evaluated on all candidates, by identity."""
        matches = known.get(id(term))
        if matches is not None:
            return matches & within
        simple = self._simple.get(type(term))
        return self._joined[type(term)](term, within, known) if simple is None else simple(term, within)

    def _available(self, term: Available, within: int) -> int:
        """Return a bitmap of the resources in *within* that are available."""
        state = self.state
        registry = state.registry
        low, high = state.keys.admit(term.start, term.end)
        quantity = term.quantity
        everything = registry.everything.value()
        if (within is not everything and within.bit_count() <= state.sizes.few) or len(registry.by_id) <= 8:
            return from_ordinals(list(self._filtered(ordinals(within), low, high, quantity)), registry.size)
        return within ^ (within & state.rules.blocked(low, high, quantity))

    def _filtered(self, numbers: Iterable[int], low: Any, high: Any, quantity: int, wanted: bool = True) -> Iterator[int]:
        """Yield the resources of *numbers* that are available (*wanted* false: not available), checked one by one."""
        state = self.state
        records, allows = state.registry.by_number, state.rules.allows_or_false
        by_index = quantity == 1 and not state.gate.waiting  # while `gate.waiting` is set, the index may contain hidden rows
        for number in numbers:
            record = records[number]
            if record is not None:
                # the fast index gives the answer of `Rules.allows` if bookings are the only rule
                index = record.fast_index if by_index and not record.rules else None
                if bool(allows(record, low, high, quantity) if index is None else index.is_free(low, high)) is wanted:
                    yield number

    def _members(self, term: Members, within: int) -> int:
        registry = self.state.registry
        try:
            records = list(map(registry.find, term.given) if term.given else map(registry.by_id.get, term.ids))
        except LACKING:
            raise
        except Exception as exc:  # the object's own code
            raise QueryError(term, f"has something that cannot be compared with ids ({type(exc).__name__})") from exc
        return within & from_ordinals([record.number for record in records if record is not None], registry.size)

    def _not(self, term: Not, within: int, known: _Known) -> Generator[Steps, int, int]:
        return within ^ (yield self._found(term.parts[0], within, known))

    def _and(self, term: And, within: int, known: _Known) -> Generator[Steps, int, int]:
        for part in sorted(term.parts, key=_cost):
            if not within:
                break
            within = yield self._found(part, within, known)
        return within

    def _or(self, term: Or, within: int, known: _Known) -> Generator[Steps, int, int]:
        result = 0
        for part in term.parts:
            result |= yield self._found(part, within ^ result, known)
        return result

    def _xor(self, term: Xor, within: int, known: _Known) -> Generator[Steps, int, int]:
        left, right = term.parts
        return (yield self._found(left, within, known)) ^ (yield self._found(right, within, known))

    def _narrow(self, term: Term, within: int) -> tuple[int, Term]:
        """Evaluate the cheap terms of a conjunction; return the candidates left and the rest of the term (`All`: none)."""
        parts = term.parts if isinstance(term, And) else (term,)
        rest = []
        for part in parts:
            if part.cost == DEAR:
                rest.append(part)
            else:
                within = self.evaluate(part, within)
        return within, rest[0] if len(rest) == 1 else And(tuple(rest)) if rest else All()

    def _first(self, term: Term, limit: int) -> list[int]:
        """Return the first *limit* matches.

        Cheap terms are evaluated for all resources. Then the first few dozen candidates are checked one by one, which
        is mostly enough; only otherwise the occupancy of all resources is read.
        """
        state, few = self.state, self.state.sizes.few
        candidates, term = self._narrow(term, state.registry.everything.value())
        numbers = first_ordinals(candidates)
        if isinstance(term, All):
            return list(islice(numbers, limit))
        first: list[int] = []
        plain = term.parts[0] if isinstance(term, Not) else term
        if isinstance(plain, Available):  # the most frequent term: no more candidates are checked than needed
            low, high = state.keys.admit(plain.start, plain.end)
            asked = islice(numbers, 2 * (limit + few))
            first += islice(self._filtered(asked, low, high, plain.quantity, plain is term), limit)
        else:
            for width in (2 * limit + 8, few, few):
                window = list(islice(numbers, width))
                if not window:
                    break
                first += ordinals(self.evaluate(term, from_ordinals(window, window[-1] + 1)))
                if len(first) >= limit:
                    break
        if len(first) < limit and (unasked := next(numbers, None)) is not None:
            matches = first_ordinals(self.evaluate(term, candidates >> unasked << unasked))
            first += islice(matches, limit - len(first))  # only as many matches as asked for are decoded
        return first[:limit]


def _pick_first(bits: int, objects: list[Any], n: int) -> list[Any]:
    """Return the first *n* objects of *bits*, reading about as many bits as it takes."""
    width = 4096
    while width < bits.bit_length() and (bits & ((1 << width) - 1)).bit_count() < n:
        width *= 2
    return pick(bits & ((1 << width) - 1), objects)[:n]


def sorted_by(resources: list[Any], key: Callable[[Any], Any], shown: list[Any]) -> list[Any]:
    """Return what is *shown* for each resource, in order of the resources' *key*, stable, those without a value last."""
    valued: list[tuple[Any, Any]] = []
    missing = []
    family = KeyFamily(True, lambda: [value for value, _ in valued], "the other values of order_by")
    for resource, thing in zip(resources, shown, strict=True):
        try:
            value = key(resource)
            has = value is not None and not is_nan(value)
            if has:
                value = family.point(value)
                family.learn(value)
        except KeyTypeError as exc:
            raise QueryError(key, f"order_by got values that cannot be ordered: {brief(str(exc))}") from exc
        except (AttributeError, LookupError):
            has = False
        except LACKING:
            raise
        except Exception as exc:
            raise QueryError(resource, f"the key of order_by raised {type(exc).__name__}: {exc}") from exc
        if has:
            valued.append((value, thing))
        else:
            missing.append(thing)
    with blaming(lambda exc: QueryError(key, f"order_by got values that cannot be ordered: {brief(str(exc))}")):
        valued.sort(key=lambda pair: pair[0])
    return [thing for _, thing in valued] + missing
