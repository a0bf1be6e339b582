"""Questions as plain trees, each of which is asked of the calendar and of the oracle.

    ("and", ("kind", "Flat"), ("no", ("available", 3, 7, 1)))

`questions` draws them, `ask` turns one into a `Selection` the way a user would write it, `expected` works out which
ids it must yield. A kind of question is one line in each of the three.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from operator import and_, or_, sub, xor
from typing import Any

from hypothesis import strategies as st

from bookcore import Calendar, Resource, Selection, no
from bookcore.testing.oracle import Oracle, Thing
from bookcore.testing.strategies import rank_spans

LABELS = ("sea", "lake", 7)
INDEX = "value"


class Flat(Resource):
    """A kind of resource, with a ``value`` to index."""

    value: int | None = None


class Loft(Flat):
    """A kind of `Flat`."""


class Car(Resource):
    """Another kind, of which none may have a ``value``."""


KINDS: dict[str, type[Resource]] = {"Resource": Resource, "Flat": Flat, "Loft": Loft, "Car": Car}
OPERATORS: dict[str, Callable[[Any, Any], Any]] = {"&": and_, "|": or_, "-": sub, "^": xor}
"""What is done with two selections, and with two sets."""

Question = tuple[Any, ...]


@cache
def questions(bounds: str, *, indexed: bool = True) -> st.SearchStrategy[Question]:
    """Draw a question; with *indexed*, some ask the index called ``value``."""
    values = st.integers(0, 5)
    spans = rank_spans(bounds, 0, 90)
    simple: list[st.SearchStrategy[Question]] = [
        st.just(("all",)),
        st.tuples(st.just("kind"), st.sampled_from(sorted(KINDS))),
        st.tuples(st.just("tagged"), st.sampled_from(LABELS)),
        st.builds(lambda span, q: ("available", *span, q), spans, st.sampled_from([1, 1, 2, 3])),
        st.builds(lambda span: ("booked", *span), spans),
        st.tuples(st.just("members"), st.lists(st.integers(0, 14), max_size=4)),
    ]
    if indexed:
        simple += [
            st.tuples(st.just("between"), st.none() | values, st.none() | values),
            st.tuples(st.just("equal"), st.none() | values),
            st.tuples(st.just("one_of"), st.lists(values, max_size=3)),
        ]
    return st.recursive(
        st.one_of(simple),
        lambda inner: st.one_of(
            st.tuples(st.sampled_from(["&", "|", "-", "^", "find"]), inner, inner),
            st.tuples(st.sampled_from(["~", "no"]), inner),
            st.tuples(st.just("any"), inner, inner),
        ),
        max_leaves=4,
    )


def ask(calendar: Calendar, question: Question, key: Callable[[int | None], Any]) -> Selection:
    """Put a question to a calendar; *key* turns ranks into the calendar's keys.

    Raises: as the calls that the question consists of.

    >>> calendar = Calendar()
    >>> _ = calendar.add_resource(Flat(1)), calendar.add_resource(Car(2))
    >>> ask(calendar, ("&", ("kind", "Flat"), ("available", 3, 7, 1)), lambda rank: rank).ids()
    [1]
    """
    name, *rest = question
    if name in (*OPERATORS, "~", "no", "any", "find"):
        parts = [ask(calendar, part, key) for part in rest]
        match name:
            case "~":
                return ~parts[0]
            case "no":
                return calendar.find(no(parts[0]))
            case "any":
                return calendar.find(parts)
            case "find":
                return calendar.find(*parts)
        found: Selection = OPERATORS[name](*parts)
        return found
    match name:
        case "all":
            return calendar.resources
        case "kind":
            return calendar.find(KINDS[rest[0]])
        case "tagged":
            return calendar.tagged(rest[0])
        case "available":
            return calendar.find_available(key(rest[0]), key(rest[1]), quantity=rest[2])
        case "booked":
            return calendar.find_booked(key(rest[0]), key(rest[1]))
        case "members":
            return calendar.find(rest[0])
        case "between":
            return calendar.index(INDEX).between(*rest)
        case "equal":
            return calendar.index(INDEX).equal(rest[0])
        case _:
            return calendar.index(INDEX).one_of(rest[0])


def expected(oracle: Oracle, question: Question) -> list[Any]:
    """Return the ids that a question must yield, in order of registration. It reads all bookings of the oracle."""
    everything = oracle.select(lambda thing: True)
    found = _ids(oracle, question)
    return [id for id in everything if id in found]


def _ids(oracle: Oracle, question: Question) -> set[Any]:
    name, *rest = question

    def those(holds: Callable[[Thing], bool]) -> set[Any]:
        return set(oracle.select(holds))

    everything = those(lambda thing: True)
    if (operator := {"find": "&", "any": "|"}.get(name, name)) in OPERATORS:
        both: set[Any] = OPERATORS[operator](*(_ids(oracle, part) for part in rest))
        return both
    match name:
        case "~" | "no":
            return everything - _ids(oracle, rest[0])
        case "all":
            return everything
        case "kind":
            return those(lambda thing: rest[0] in thing.kinds)
        case "tagged":
            return those(lambda thing: rest[0] in thing.labels)
        case "available":
            return set(oracle.available(*rest))
        case "booked":
            return everything - set(oracle.available(*rest))
        case "members":
            return those(lambda thing: thing.id in rest[0])
        case "between":
            low, high = rest
            return those(
                lambda t: t.value is not None and (low is None or low <= t.value) and (high is None or t.value <= high)
            )
        case "equal":
            return those(lambda t: t.value is not None and t.value == rest[0])
        case _:
            return those(lambda t: t.value is not None and t.value in rest[0])
