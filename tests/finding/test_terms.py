"""Terms of any size and depth: evaluated, shown, compared, hashed, pickled and copied without recursion."""

from __future__ import annotations

import copy
import operator
import pickle
from collections.abc import Callable
from functools import reduce
from typing import Any

import pytest

from bookcore import Calendar, QueryError, Resource, Selection, no
from bookcore.model.term import (
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
    Xor,
    as_term,
)

MANY = 2_000


def calendar_of() -> Calendar:
    """Return a calendar of ten resources, each with a label of its own, and 3 booked."""
    calendar = Calendar()
    for id in range(10):
        calendar.tag(calendar.add_resource(Resource(id)), f"label {id}")
    calendar.book(3, 0, 9)
    return calendar


def alternating(calendar: Calendar) -> Selection:
    """Return ``free - t | t & free`` of itself, again and again."""
    found = calendar.find_available(0, 9)
    for at in range(MANY):
        tagged = calendar.tagged(f"label {at % 10}")
        found = (found - tagged, found | tagged, tagged ^ found, ~(found & calendar.resources))[at % 4]
    return found


def in_lists(value: Any, calendar: Calendar) -> Selection:
    """Return what is selected by a value in a list in ``no(...)`` in a list, again and again."""
    for at in range(MANY):
        value = no(value) if at % 2 else [value, []]
    return calendar.find(value)


def nested_in(value: Any, _: int) -> Any:
    """Return its negation."""
    return no(value)


def listed_in(value: Any, _: int) -> Any:
    """Return a list of it."""
    return [value]


DEEP: dict[str, Callable[[Calendar], Any]] = {
    "joined by |": lambda c: reduce(operator.or_, [c.tagged(f"label {at % 4}") for at in range(MANY)]),
    "joined by &": lambda c: reduce(operator.and_, [c.find_available(0, 9) for _ in range(MANY)]),
    "joined by ^": lambda c: reduce(operator.xor, [c.tagged(f"label {at % 7}") for at in range(MANY)]),
    "joined by -": lambda c: reduce(operator.sub, [c.resources, *[c.tagged(f"label {at % 4}") for at in range(MANY)]]),
    "joined from the right": lambda c: reduce(lambda a, b: b | a, [c.tagged(f"label {at % 4}") for at in range(MANY)]),
    "nested ~": lambda c: reduce(lambda found, _: ~(found & c.resources), range(MANY), c.tagged("label 1")),
    "nested no": lambda c: c.find(reduce(nested_in, range(MANY + 1), c.tagged("label 1"))),
    "nested lists": lambda c: c.find(reduce(listed_in, range(MANY), c.tagged("label 1"))),
    "lists and no": lambda c: in_lists(c.tagged("label 1"), c),
    "all sorts": alternating,
}


@pytest.mark.parametrize("name", DEEP)
def test_a_question_of_any_depth_is_answered(name: str) -> None:
    """Every way of reading it, with and without the candidates of other terms."""
    calendar = calendar_of()
    found = DEEP[name](calendar)
    ids = found.ids()
    assert [resource.id for resource in found] == [resource.id for resource in found.first(10)] == ids
    assert [id for id in range(10) if id in found] == ids
    assert (~found).ids() == [id for id in range(10) if id not in ids]
    assert calendar.find(found, calendar.find_available(0, 9)).first(10) == (found & calendar.find_available(0, 9)).first(10)
    assert calendar.book_any(calendar.resources - calendar.tagged("label 3"), 20, 30)


@pytest.mark.parametrize("name", DEEP)
def test_a_term_of_any_depth_is_shown_compared_hashed_pickled_and_copied(name: str) -> None:
    """And what errors say of it is short."""
    calendar = calendar_of()
    found, same = DEEP[name](calendar), DEEP[name](calendar)
    term = found._term
    assert term == same._term
    assert hash(term) == hash(same._term)
    assert term != And((term,))
    assert And((term, Tagged("x"))) != And((same._term, Tagged("y")))
    assert len(repr(found)) < 1000
    assert pickle.loads(pickle.dumps(term)) == term == copy.deepcopy(term) == copy.copy(term)  # noqa: S301
    with pytest.raises(QueryError) as caught:
        Calendar().find(found)
    assert len(str(caught.value)) < 200


def test_the_answer_of_a_deep_question_is_the_one_of_sets() -> None:
    """The alternation of all operators, against plain sets."""
    free = set(range(10)) - {3}
    for at in range(MANY):
        tagged = {at % 10}
        free = (free - tagged, free | tagged, tagged ^ free, set(range(10)) - free)[at % 4]
    assert set(alternating(calendar_of()).ids()) == free


def test_a_shared_part_is_shown_compared_and_pickled_once() -> None:
    """A term that holds itself twice at 60 levels has 2**60 paths, and 61 objects."""
    start: Callable[[str], Any] = Tagged

    def shared(label: str) -> Any:
        return reduce(lambda term, at: (And, Or, Xor)[at % 3]((term, term)), range(60), start(label))

    term, same = shared("sea"), shared("sea")
    assert term == same
    assert hash(term) == hash(same)
    assert term != shared("lake")
    again = pickle.loads(pickle.dumps(term))  # noqa: S301
    assert again == term
    assert again.parts[0] is again.parts[1]
    assert len(repr(term)) <= 400


def test_what_contains_itself_is_refused() -> None:
    """Lists and `no` that a program has closed to a ring."""
    loop: list[Any] = []
    loop.append(loop)
    around: list[Any] = []
    negation = no(around)
    around.append(negation)
    behind: list[Any] = [1, [no([loop])]]
    for value in (loop, [loop], no(loop), negation, [1, negation], behind):
        with pytest.raises(QueryError, match="contains itself"):
            as_term(value, None)
    twice = [1, 2]
    assert as_term([twice, twice], None) is not None  # in it twice is not within itself


def test_a_negation_is_shown_whole() -> None:
    """Terms are printed as they are made."""
    assert repr(Not((Tagged("sea"),))) == "Not(Tagged(label='sea'))"
    assert repr(no(no(Resource))) == "no(no(<class 'bookcore.model.resource.Resource'>))"
    assert repr(Xor((Tagged(1), And(())))) == "Xor(Tagged(label=1), And())"
    assert Xor((Tagged(1), Tagged(2))) != Or((Tagged(1), Tagged(2)))
    assert And(()) != 3


_SEA = Tagged("sea")
TERMS = [
    Not((_SEA,)), And((_SEA, All())), Or((_SEA, All())), Xor((_SEA, All())), And(()), no(_SEA), _SEA, All(), Kind(Resource),
    Between("price", 1, 2), OneOf("price", (1,)), Available(1, 2), Members((1,)),
]  # fmt: skip


@pytest.mark.parametrize("term", TERMS, ids=repr)
def test_terms_cannot_be_changed(term: Any) -> None:
    """Selections share them, and keep what was found for them."""
    before = repr(term), getattr(term, "cost", None)
    for name in ("parts", "cost", "term", "label", "ids", "index", "start", "cls", "more"):
        with pytest.raises((AttributeError, TypeError)):
            setattr(term, name, (All(),))
        with pytest.raises((AttributeError, TypeError)):
            delattr(term, name)
    assert (repr(term), getattr(term, "cost", None)) == before
    assert repr(pickle.loads(pickle.dumps(term))) == repr(copy.deepcopy(term)) == repr(copy.copy(term)) == repr(term)  # noqa: S301


@pytest.mark.parametrize("ask", [
    lambda calendar, found: calendar.find(found),
    lambda calendar, found: calendar.find(no(list(found))),
    lambda calendar, found: calendar.find([calendar.tagged("sea"), *found]),
    lambda calendar, found: calendar.find_available(1, 2, found),
    lambda calendar, found: calendar.resources - list(found),
    lambda calendar, found: calendar.resources & found,
    lambda calendar, found: calendar.book_any(list(found), 50, 51),
    lambda calendar, found: list(calendar.find_slots(1, 0, 4, list(found))),
])  # fmt: skip
@pytest.mark.parametrize("what", ["bookings of an index", "bookings", "closures"])
def test_bookings_and_closures_are_no_resources(ask: Any, what: str) -> None:
    calendar = calendar_of()
    first = calendar.resources.first()
    calendar.book(first, 1, 2, guest="Ada")
    calendar.close(first, 8, 9)
    kinds: dict[str, Callable[[], Any]] = {
        "bookings of an index": lambda: calendar.create_booking_index("guest").equal("Ada"),
        "bookings": lambda: calendar.bookings(first),
        "closures": lambda: iter(calendar.closures(first)),
    }
    found = kinds[what]()
    with pytest.raises(QueryError, match=r"its \.resource"):
        ask(calendar, found)


def test_a_resource_in_place_of_a_term_is_told_how_it_is_one() -> None:
    """A list of it is a term; so it is for text."""
    calendar = Calendar()
    room = calendar.add_resource(Resource("r"))
    with pytest.raises(QueryError, match=r"is a resource, not a term; did you mean \[Resource\(id='r'\)\]\?"):
        calendar.find(room)
    assert calendar.find([room]).ids() == ["r"]
    with pytest.raises(QueryError, match="3: is no term; terms are"):
        calendar.find(3)
