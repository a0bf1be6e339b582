"""Conformance tests of questions: `find`, terms, tags, order, and how a `Selection` is read."""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterator
from operator import attrgetter
from typing import Any, Protocol, runtime_checkable

import pytest

from bookcore import (
    BookableResource,
    BookcoreError,
    Calendar,
    QueryError,
    Resource,
    Selection,
    UnknownResourceError,
    no,
)
from bookcore.testing.questions import Car, Flat, Loft


class Furnished(ABC):  # noqa: B024 - registered with, never made
    """A virtual base class: `Flat` is registered with it."""


Furnished.register(Flat)


@runtime_checkable
class Priced(Protocol):
    """A protocol that asks for more than methods, and so can be asked about objects only."""

    price: int


class Refusing(type):
    """The class of classes that refuse to say what is an instance of them."""

    def __instancecheck__(cls, instance: object) -> bool:
        raise ZeroDivisionError

    def __subclasscheck__(cls, subclass: type) -> bool:
        raise ZeroDivisionError


class Nothing(metaclass=Refusing):
    """A class that cannot be asked."""


class RefusingObjects(type(Protocol)):  # type: ignore[misc]
    """The class of protocols that refuse to say what is an instance of them."""

    def __instancecheck__(cls, instance: object) -> bool:
        raise ZeroDivisionError


@runtime_checkable
class NothingEither(Protocol, metaclass=RefusingObjects):
    """A protocol that cannot be asked about objects, and has to be."""

    price: int


class Twin:
    """A label or an id of the hash of a text, which refuses to be compared."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __hash__(self) -> int:
        return hash(self.text)

    def __eq__(self, other: object) -> bool:
        raise ZeroDivisionError


class Barn(Resource):
    """A kind of resource of which a `town` has none."""


def town(store: Any, size: int = 30) -> tuple[Calendar, list[Any]]:
    """Return a calendar with resources of three kinds, an index, tags, and some bookings."""
    calendar = Calendar(store)
    resources: list[Any] = []
    for id in range(size):
        resource = (Flat, Loft, Car)[id % 3](id)
        if id % 3 != 2:
            resource.value = (id * 7) % 10  # type: ignore[union-attr]
        resources.append(calendar.add_resource(resource))
    calendar.create_index("value", key=lambda resource: resource.value)
    for id in range(0, size, 4):
        calendar.tag(id, "sea")
    for id in range(0, size, 5):
        calendar.tag(resources[id], "lake", "calm")
    for id in range(0, size, 2):
        calendar.book(id, 10, 20)
    return calendar, resources


class SelectionExam:
    """Questions are sets of resources, asked when read."""

    def test_a_selection_is_a_question_and_not_a_list(self, store: Any) -> None:
        """It is answered anew each time it is read."""
        calendar, resources = town(store)
        free = calendar.find_available(10, 20)
        assert isinstance(free, Selection)
        assert list(free) == resources[1::2]
        calendar.book(1, 10, 20)
        assert list(free) == resources[3::2]
        assert len(free) == free.count() == 14
        assert free.ids() == list(range(3, 30, 2))
        assert resources[3] in free
        assert 3 in free
        assert resources[0] not in free
        assert "nobody" not in free
        assert [] not in free

    def test_ids_are_as_registered(self, store: Any) -> None:
        """Whatever the code of a foreign object says of its id by now, in any order."""

        class Row:
            asked = 0

            def __init__(self, number: int) -> None:
                self.number = number

            @property
            def id(self) -> int:
                if Row.asked > 3:
                    raise ZeroDivisionError
                return self.number

        calendar = Calendar(store)
        calendar.create_index("number", key=lambda row: -row.number)
        for number in (2, 1, 3):
            calendar.add_resource(Row(number))
        Row.asked = 4
        found = calendar.resources
        assert found.ids() == [2, 1, 3]
        assert found.order_by("number").ids() == [3, 2, 1]
        assert found.order_by(lambda row: row.number).ids() == [1, 2, 3]

    @pytest.mark.parametrize("n", [0, 1, 3, 15, 16, 1000])
    def test_first_gives_at_most_so_many_in_order(self, store: Any, n: int) -> None:
        """A list of the first *n*, or of all there are."""
        calendar, resources = town(store)
        assert calendar.find_available(10, 20).first(n) == resources[1::2][:n]
        assert calendar.find_available(10, 20).order_by(lambda r: -r.id).first(n) == resources[1::2][::-1][:n]

    @pytest.mark.parametrize("n", [-1, 1.0, None, "3", True])
    def test_first_of_no_count_is_refused(self, store: Any, n: Any) -> None:
        """*n* is an int of at least zero."""
        calendar, _ = town(store)
        with pytest.raises(QueryError):
            calendar.resources.first(n)

    def test_first_alone_is_the_first_resource_or_none(self, store: Any) -> None:
        """The resource itself and no list, in the order of the selection."""
        calendar, resources = town(store)
        free = calendar.find_available(10, 20)
        assert free.first() is resources[1]
        assert free.order_by(lambda r: -r.id).first() is resources[-1]
        assert free.order_by("value").first() is free.order_by("value").first(1)[0]
        assert (free - [1, 3]).first() is resources[5]
        assert calendar.find_available(10, 20, Car).first() is calendar.find_available(10, 20, Car).first(1)[0]
        assert calendar.tagged("nowhere").first() is None
        assert calendar.tagged("nowhere").order_by("value").first() is None
        assert Calendar().resources.first() is None

    @pytest.mark.parametrize("at", [0, -1, 100, slice(1, 3), slice(None), "loft", None])
    def test_a_selection_has_no_places_and_says_what_to_write(self, store: Any, at: Any) -> None:
        """It reads the calendar each time, so two places of it could be of two states: the error names `first` and list."""
        calendar, _ = town(store)
        for selection in (calendar.resources, calendar.find_available(10, 20).order_by("value"), calendar.tagged("nowhere")):
            with pytest.raises(QueryError, match=r"list\(selection\)\[") as refused:
                selection[at]  # type: ignore[index]
            assert isinstance(refused.value, TypeError)
            assert refused.value.term is selection
            assert "first()" in refused.value.reason
            with pytest.raises(TypeError, match="not reversible"):
                reversed(selection)  # type: ignore[call-overload]

    def test_iteration_stands_for_one_moment(self, store: Any) -> None:
        """Changes that are made during an iteration do not appear in it."""
        calendar, resources = town(store)
        walk = iter(calendar.find_available(10, 20))
        assert next(walk) is resources[1]
        for id in range(1, 30, 2):
            calendar.book(id, 10, 20)
        assert list(walk) == resources[3::2]
        assert not calendar.find_available(10, 20)

    def test_terms_are_all_that_the_contract_names(self, store: Any) -> None:
        """Classes, selections, iterables of resources or ids, lists of terms, and `no`; all must hold."""
        calendar, resources = town(store)
        flats: list[Any] = [r for r in resources if isinstance(r, Flat)]
        assert list(calendar.find()) == resources
        assert list(calendar.find(Flat)) == flats
        assert list(calendar.find(Furnished)) == flats
        assert list(calendar.find(Loft)) == resources[1::3]
        assert list(calendar.find(Resource, object)) == resources
        assert list(calendar.find({3, 5, 99})) == [resources[3], resources[5]]
        assert list(calendar.find((resources[6], 2, 2))) == [resources[2], resources[6]]
        assert list(calendar.find(id for id in (8, 7))) == [resources[7], resources[8]]
        assert list(calendar.find(no(Flat))) == resources[2::3]
        assert list(calendar.find([Car, Loft])) == [r for r in resources if type(r) is not Flat]
        assert list(calendar.find([calendar.tagged("sea"), {1}])) == [resources[i] for i in sorted({1, *range(0, 30, 4)})]
        assert list(calendar.find([])) == []
        assert list(calendar.find(Flat, calendar.tagged("sea"), no(calendar.find_booked(1, 9)))) == [
            r for r in flats if r.id % 4 == 0
        ]
        assert list(calendar.find_available(10, 20, Car, calendar.index("value").between(None, None))) == []

    @pytest.mark.parametrize("term", ["sea", b"sea", 5, None, object(), 1.5, [[4, {}]], [{}, 5]])
    def test_what_is_no_term_is_refused_at_once(self, store: Any, term: Any) -> None:
        """`QueryError`, when the question is made and not when it is read."""
        calendar, _ = town(store)
        with pytest.raises(QueryError):
            calendar.find(term)

    def test_a_selection_of_another_calendar_is_refused(self, store: Any) -> None:
        """A question belongs to the calendar it was made of."""
        calendar, _ = town(store)
        with pytest.raises(QueryError):
            calendar.find(Calendar().resources)
        with pytest.raises(QueryError):
            calendar.resources & Calendar().resources

    def test_tags_come_and_go(self, store: Any) -> None:
        """Labels are any hashable; putting twice, or taking what is not there, is no error."""
        calendar, resources = town(store)
        assert calendar.tagged("lake").ids() == calendar.tagged("calm").ids() == list(range(0, 30, 5))
        calendar.tag(1, "sea", "sea")
        calendar.untag(0, "sea", "never there")
        calendar.untag(0, "sea")
        assert calendar.tagged("sea").ids() == [1, *range(4, 30, 4)]
        assert not calendar.tagged("no such label")
        with pytest.raises(QueryError):
            calendar.tag(1, "good", [])  # type: ignore[arg-type]
        assert not calendar.tagged("good")
        with pytest.raises(QueryError):
            calendar.tagged([])  # type: ignore[arg-type]
        with pytest.raises(UnknownResourceError):
            calendar.tag("nobody", "sea")
        calendar.remove_resource(1)
        assert resources[1] not in calendar.tagged("sea")
        calendar.add_resource(resources[1])
        assert resources[1] not in calendar.tagged("sea")

    def test_a_protocol_with_more_than_methods_is_asked_of_each_resource(self, store: Any) -> None:
        """`isinstance` decides, at the moment of the question, whatever others of the same class say."""
        calendar, resources = town(store)
        assert list(calendar.find(BookableResource)) == resources
        assert list(calendar.find(Flat, BookableResource)) == list(calendar.find(Flat))
        assert list(calendar.find(Priced)) == []
        resources[0].price = resources[5].price = 50
        assert calendar.find(Priced).ids() == [0, 5]
        assert calendar.find([Priced, {3}], no(Car)).ids() == [0, 3]
        assert len(calendar.find(no(Priced))) == 28
        assert resources[5] in calendar.find(Priced)
        assert resources[6] not in calendar.find(Priced)
        del resources[5].price
        assert calendar.find(Priced).ids() == [0]
        for term in (Nothing, NothingEither):
            with pytest.raises(QueryError):
                list(calendar.find(term))

    def test_a_resource_whose_class_has_changed_can_be_removed(self, store: Any) -> None:
        """It is of the kind that it was registered as, until it is registered anew."""
        calendar, resources = town(store, 4)
        calendar.remove_booking(next(calendar.bookings(0)))
        resources[0].__class__ = Barn
        calendar.check()
        with calendar.what_if():
            calendar.remove_resource(0)
            assert calendar.find(Flat).ids() == [1, 3]
        assert calendar.find(Flat).ids() == [0, 1, 3]
        calendar.remove_resource(0)
        assert calendar.resources.ids() == [1, 2, 3]
        calendar.check()
        calendar.add_resource(resources[0])
        assert calendar.find(Barn).ids() == [0]
        calendar.check()

    def test_labels_and_ids_that_refuse_to_compare_change_nothing(self, store: Any) -> None:
        """`QueryError`, and of several labels none is put on or taken off."""
        calendar, _ = town(store)
        calendar.add_resource(Resource("id"))
        calendar.tag(1, "old")
        told: list[Any] = []
        calendar.subscribe(told.append)
        tries: list[Any] = [
            lambda: calendar.tag(1, "half", Twin("half")),
            lambda: calendar.tag(1, Twin("old"), "half"),
            lambda: calendar.untag(1, "old", Twin("sea")),
            lambda: calendar.untag(1, Twin("old")),
            lambda: list(calendar.tagged(Twin("sea"))),
            lambda: len(calendar.find(no(calendar.tagged(Twin("sea"))))),
            lambda: list(calendar.find([Twin("id")])),
            lambda: list(calendar.find({Twin("id")})),
            lambda: list(calendar.resources & [Twin("id")]),
            lambda: "id" in calendar.resources - (Twin("id"),),
        ]
        for at, attempt in enumerate(tries):
            with pytest.raises(QueryError):
                attempt()
            assert not calendar.tagged("half"), at
            assert calendar.tagged("old").ids() == [1], at
        assert told == []
        assert set(calendar._engine.state.registry.tags) == {"sea", "lake", "calm", "old"}
        with pytest.raises(BookcoreError):
            calendar.tag(Twin("id"), "half")

    def test_terms_inside_terms_are_taken_or_refused(self, store: Any) -> None:
        """In a list any term may stand; in any other iterable only resources and ids."""
        calendar, resources = town(store, 6)
        sea = calendar.tagged("sea")
        calendar.add_resource(Resource((1, 2)))
        assert calendar.find([iter([1]), {2}, (id for id in (3,)), 5]).ids() == [1, 2, 3, 5]
        assert calendar.find([sea, [Car, [iter([1])]]]).ids() == [0, 1, 2, 4, 5]
        assert calendar.find([(1, 2)]).ids() == [(1, 2)], "a tuple may be an id"
        for wrong in ((sea,), {sea, 1}, iter([sea]), (no(sea),), [(sea,), iter([no(sea)])]):
            with pytest.raises(QueryError):
                calendar.find(wrong)
        with pytest.raises(QueryError):
            sea & (resources[0], sea)

    @pytest.mark.parametrize("by", ["value", lambda r: r.value], ids=["index", "function"])
    def test_order_is_stable_and_keeps_those_without_a_value_last(self, store: Any, by: Any) -> None:
        """Equal values stay in order of registration."""
        calendar, resources = town(store)
        valued: list[Any] = sorted((r for r in resources if isinstance(r, Flat)), key=attrgetter("value"))
        ordered = calendar.resources.order_by(by)
        assert list(ordered) == valued + resources[2::3]
        assert ordered.ids() == [r.id for r in valued + resources[2::3]]
        assert ordered.first(5) == valued[:5]
        assert len(ordered) == 30
        assert resources[0] in ordered

    @pytest.mark.parametrize("by", [None, 5, []])
    def test_order_by_what_is_no_key_is_refused(self, store: Any, by: Any) -> None:
        """The name of an index or a function."""
        calendar, _ = town(store)
        with pytest.raises(QueryError):
            calendar.resources.order_by(by)

    def test_order_by_values_without_an_order_is_refused(self, store: Any) -> None:
        """Values that cannot be compared, or a key that fails, become a `QueryError` on reading."""
        calendar, _ = town(store)
        with pytest.raises(QueryError):
            list(calendar.resources.order_by(lambda r: r.id if r.id else "zero"))
        with pytest.raises(QueryError):
            list(calendar.resources.order_by(lambda r: 1 // r.id))

    def test_operators_obey_the_algebra_of_sets(self, store: Any) -> None:
        """Selections combine with each other and with plain collections, on either side."""
        calendar, resources = town(store)
        one, two = calendar.tagged("sea"), calendar.find_available(10, 20, Flat)
        a, b = set(one), set(two)

        def ordered(found: Any) -> list[Any]:
            return [r for r in resources if r in found]

        assert list(one & two) == ordered(a & b)
        assert list(one | two) == ordered(a | b)
        assert list(one - two) == ordered(a - b)
        assert list(two - one) == ordered(b - a)
        assert list(one ^ two) == ordered(a ^ b)
        assert list(~one) == ordered(set(resources) - a)
        assert list(one & {0, 1}) == [resources[0]]
        assert list({resources[4], 1} | one) == ordered(a | {resources[1]})
        assert list([0, 1] - one) == [resources[1]]
        assert list(one ^ [0, 1]) == ordered(a ^ {resources[0], resources[1]})
        assert list((one | two) & calendar.find([])) == []
        with pytest.raises(TypeError):
            one & 5
        with pytest.raises(TypeError):
            "sea" | one

    def test_a_generator_as_a_term_is_read_once(self, store: Any) -> None:
        """The question keeps what the iterable held when it was made."""
        calendar, resources = town(store)

        def some() -> Iterator[int]:
            yield from (4, 5)

        selection = calendar.find(some())
        assert list(selection) == list(selection) == resources[4:6]
