"""Conformance tests of indexes: what they select, which values they refuse, and what they hold after a refusal."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import pytest

from bookcore import Calendar, IndexNameError, KeyTypeError, QueryError, Resource
from bookcore.testing.contract_selection import town
from bookcore.testing.questions import Flat


class Pair(Resource):
    """A resource with two values to index."""

    def __init__(self, id: Any, one: Any, two: Any) -> None:
        super().__init__(id)
        self.one, self.two = one, two


def pairs(store: Any) -> tuple[Calendar, Pair, Pair]:
    """Return a calendar of two resources and two indexes; among the values of the second, ``(2, number)`` has no place."""
    calendar = Calendar(store)
    x, y = calendar.add_resource(Pair("x", 1, (1,))), calendar.add_resource(Pair("y", 2, (2, "p")))
    calendar.create_index("one", key=attrgetter("one"))
    calendar.create_index("two", key=attrgetter("two"))
    return calendar, x, y


class IndexExam:
    """An index holds for each resource the value that its key function returned last."""

    def test_an_index_selects_by_range_by_value_and_by_values(self, store: Any) -> None:
        """Ends of a range belong to it; None is no limit; a resource without a value matches nothing."""
        calendar, resources = town(store)
        value = {r: r.value for r in resources if isinstance(r, Flat)}

        def those(holds: Any) -> list[Any]:
            return [r for r in resources if r in value and holds(value[r])]

        index = calendar.index("value")
        assert list(index.between(2, 5)) == those(lambda v: 2 <= v <= 5)
        assert list(index.between(None, 4)) == those(lambda v: v <= 4)
        assert list(index.between(5, None)) == those(lambda v: v >= 5)
        assert list(index.between(None, None)) == list(value)
        assert list(index.between(5, 2)) == []
        assert list(index.equal(7)) == those(lambda v: v == 7)
        assert list(index.equal(None)) == []
        assert list(index.one_of(iter([1, 3, 99, None]))) == those(lambda v: v in (1, 3))
        assert list(index.one_of([])) == []

    def test_an_index_follows_reindex_and_new_resources(self, store: Any) -> None:
        """Values are asked for when a resource is added and at `reindex`."""
        calendar, resources = town(store)
        resources[0].value = 77
        assert 0 not in calendar.index("value").equal(77)
        calendar.reindex(0)
        assert calendar.index("value").equal(77).ids() == [0]
        late = Flat("late")
        late.value = 77
        calendar.add_resource(late)
        assert calendar.index("value").equal(77).ids() == [0, "late"]
        calendar.remove_resource("late")
        assert calendar.index("value").equal(77).ids() == [0]
        resources[0].value = None
        calendar.reindex(0)
        assert not calendar.index("value").equal(77)

    def test_an_index_that_cannot_be_made_is_refused(self, store: Any) -> None:
        """Names are unique texts, keys are functions, values have an order; otherwise nothing changes."""
        calendar, resources = town(store)
        with pytest.raises(IndexNameError):
            calendar.create_index("value", key=id)
        with pytest.raises(QueryError):
            calendar.create_index("x", key=None)  # type: ignore[arg-type]
        with pytest.raises(KeyTypeError):
            calendar.create_index("x", key=lambda r: r.id if r.id else "zero")
        with pytest.raises(QueryError):
            calendar.create_index("x", key=lambda r: 1 // r.id)
        with pytest.raises(IndexNameError):
            calendar.index("x")
        with pytest.raises(IndexNameError):
            list(calendar.resources.order_by("x"))
        with pytest.raises(KeyTypeError):
            list(calendar.index("value").between("a", "b"))
        bad = Flat("bad")
        bad.value = "text"  # type: ignore[assignment]
        with pytest.raises(KeyTypeError):
            calendar.add_resource(bad)
        assert list(calendar.resources) == resources
        resources[0].value = "text"
        with pytest.raises(KeyTypeError):
            calendar.reindex(0)
        assert 0 in calendar.index("value").equal(0)
        calendar.check()

    def test_a_refused_value_leaves_every_index_as_it_was(self, store: Any) -> None:
        """One index that cannot order a value keeps the others from taking theirs; later numbers are not mixed up."""
        calendar, x, _ = pairs(store)
        one, two = calendar.index("one"), calendar.index("two")
        with pytest.raises(KeyTypeError):
            calendar.add_resource(Pair("z", 3, (2, 5)))
        assert calendar.resources.ids() == ["x", "y"]
        calendar.check()
        calendar.add_resource(Pair("w", 9, (7,)))
        assert (one.equal(3).ids(), one.equal(9).ids(), two.equal((7,)).ids()) == ([], ["w"], ["w"])
        x.one, x.two = 50, (2, 7)
        with pytest.raises(KeyTypeError):
            calendar.reindex("x")
        assert (one.equal(1).ids(), one.equal(50).ids(), two.equal((1,)).ids()) == (["x"], [], ["x"])
        with pytest.raises(KeyTypeError):
            calendar.create_index("both", key=lambda resource: (2, resource.one if resource is x else "p"))
        with pytest.raises(IndexNameError):
            calendar.index("both")
        x.two = (0,)
        calendar.reindex("x")
        assert (one.equal(50).ids(), two.between(None, (1,)).ids()) == (["x"], ["x"])
        calendar.check()

    def test_an_index_half_done_is_noticed_by_check(self, store: Any) -> None:
        """A resource that an index has twice, has not, or has though it is gone."""
        calendar, _, _ = pairs(store)
        index = calendar._engine.state.registry.indexes.by_name["one"]
        calendar.check()
        index.put(2, 5)  # an ordinal without a resource
        with pytest.raises(AssertionError):
            calendar.check()
        index.discard(2)
        calendar.check()
        held = index.held(0)
        index.discard(0)
        with pytest.raises(AssertionError):
            calendar.check()
        index.put_back(0, held)
        calendar.check()
        index.chunks[0].values.append(7)
        index.chunks[0].ordinals.append(1)  # a second time
        with pytest.raises(AssertionError):
            calendar.check()

    @pytest.mark.parametrize("nan", [float("nan"), (float("nan"),), (1, (float("nan"), 2))], ids=["nan", "in", "deep"])
    def test_a_nan_is_no_value_and_no_bound(self, store: Any, nan: Any) -> None:
        """A resource whose value is NaN is in no range and last; NaN equals nothing, and as a bound it is refused."""
        calendar = Calendar(store)
        like = (float,) if isinstance(nan, float) else (lambda number: (number,),)
        for id, value in enumerate((like[0](3), nan, like[0](1), like[0](2))):
            calendar.add_resource(Pair(id, value, None))
        index = calendar.create_index("one", key=attrgetter("one"))
        assert calendar.resources.order_by("one").ids() == [2, 3, 0, 1]
        assert calendar.resources.order_by(attrgetter("one")).ids() == [2, 3, 0, 1]
        assert index.between(None, None).ids() == [0, 2, 3]
        assert index.equal(nan).ids() == []
        assert index.one_of([nan, like[0](2), nan]).ids() == [3]
        for low, high in ((nan, None), (None, nan), (nan, like[0](1)), (like[0](1), nan), (nan, nan)):
            with pytest.raises(QueryError):
                index.between(low, high).ids()
        calendar.check()
