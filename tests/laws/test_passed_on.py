"""A lack of memory or of stack in the caller's own objects is passed on as it is; all else is an error of ours."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import bookcore
from bookcore import BookcoreError, BookingEvent, Calendar, FieldError, Resource, TransactionError, no
from bookcore.hours import Hours


class Lying(Exception):  # noqa: N818
    """Claims to be a lack of memory."""

    __class__ = MemoryError  # type: ignore[assignment]


class Raising:
    """An iterable that raises in its midst."""

    def __init__(self, error: type[Exception]) -> None:
        self.error = error

    def __iter__(self) -> Iterator[Any]:
        yield "room"
        raise self.error

    def __call__(self, *_: Any) -> Any:
        raise self.error


def event_class(error: type[Exception]) -> Any:
    """Return a class of events that cannot be made."""

    class Event(BookingEvent):
        def __init__(self, *args: Any, **fields: Any) -> None:
            raise error

    return Event


CALLS: dict[str, Callable[[Calendar, Any], Any]] = {
    "load": lambda calendar, raising: calendar.load(raising),
    "book_all": lambda calendar, raising: calendar.book_all(raising),
    "book_all, a request": lambda calendar, raising: calendar.book_all([raising]),
    "common_gaps": lambda calendar, raising: calendar.common_gaps(raising, 0, 9),
    "one_of": lambda calendar, raising: calendar.index("id").one_of(raising),
    "find": lambda calendar, raising: calendar.find(raising),
    "no": lambda calendar, raising: calendar.find(no(raising)),
    "find_slots": lambda calendar, raising: calendar.find_slots(1, 0, 9, raising),
    "close_all": lambda calendar, raising: calendar.close_all(raising, 0, 9),
    "set_hours": lambda calendar, raising: calendar.set_hours(raising, None),
    "book_any": lambda calendar, raising: calendar.book_any(raising, 0, 9),
    "a strategy": lambda calendar, raising: calendar.book_any(["room"], 0, 9, strategy=raising),
    "order_by": lambda calendar, raising: calendar.resources.order_by(raising).ids(),
    "create_index": lambda calendar, raising: calendar.create_index("new", key=raising),
    "an event": lambda _, raising: Calendar(event_type=event_class(raising.error)),
    "hours": lambda _, raising: Hours({"mon": raising}),
}


@pytest.mark.parametrize("error", [MemoryError, RecursionError, ZeroDivisionError, ValueError, Lying])
@pytest.mark.parametrize("name", CALLS)
def test_what_the_callers_objects_lack_is_passed_on(name: str, error: type[Exception]) -> None:
    calendar = Calendar()
    calendar.add_resource(Resource("room"))
    calendar.create_index("id", key=lambda resource: resource.id)
    before = calendar.digest()
    with pytest.raises(error if error in (MemoryError, RecursionError) else BookcoreError) as caught:
        made = CALLS[name](calendar, Raising(error))
        made.add_resource(Resource("room"))
        made.book("room", 1, 2)
    assert isinstance(caught.value, error if error in (MemoryError, RecursionError) else BookcoreError)
    assert calendar.digest() == before
    calendar.check()


class Id:
    """An id that cannot be compared, with the hash of the number of a booking."""

    fails = True

    def __init__(self, number: int) -> None:
        self.number = number

    def __hash__(self) -> int:
        return self.number

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if Id.fails:
            raise ZeroDivisionError("no equality")
        return False


BOOKS: dict[str, Callable[[Calendar], Any]] = {
    "book": lambda calendar: calendar.book("room", 5, 6),
    "book an object": lambda calendar: calendar.book(calendar.resources.first(1)[0], 5, 6),
    "with a field": lambda calendar: calendar.book("room", 5, 6, note="x"),
    "hold": lambda calendar: calendar.hold("room", 5, 6),
    "add_booking": lambda calendar: calendar.add_booking(BookingEvent("room", 5, 6)),
    "book_any": lambda calendar: calendar.book_any(["room"], 5, 6),
    "book_all": lambda calendar: calendar.book_all([("room", 5, 6)]),
    "load": lambda calendar: calendar.load([BookingEvent("room", 5, 6)]),
    "split": lambda calendar: calendar.split(1, 2),
    "of the same hash": lambda calendar: calendar.book("room", 5, 6, id=4),
}


@pytest.mark.parametrize("name", BOOKS)
def test_an_id_that_cannot_be_compared_is_the_fault_of_ids(name: str) -> None:
    """Whatever call gives out the number that has its hash; the store is not blamed."""
    calendar = Calendar()
    calendar.add_resource(Resource("room"))
    calendar.book("room", 1, 3)
    other = calendar.book("room", 3, 4, id=Id(4))
    calendar.book("room", 4, 5, id=Id(5))  # of the parts of a split only the second is given an id
    Id.fails = True
    with pytest.raises(FieldError, match="no equality"):
        BOOKS[name](calendar)
    assert [event.start for event in calendar.bookings()] == [1, 3, 4]
    Id.fails = False
    BOOKS[name](calendar)
    assert other.owns_lock
    calendar.check()


LACKED: list[type[Exception]] = [MemoryError, RecursionError]


class Point:
    """A key, label, id, length and value of a field, whose code begins to raise when it is told to."""

    left: int | None = None
    error: type[Exception] = MemoryError

    def __init__(self, at: int) -> None:
        self.at = at

    @staticmethod
    def work() -> None:
        """Do a step, or raise."""
        if Point.left is not None:
            Point.left -= 1
            if Point.left < 0:
                raise Point.error("as told")

    def __lt__(self, other: Any) -> bool:
        self.work()
        return self.at < other.at if type(other) is Point else NotImplemented

    def __eq__(self, other: object) -> bool:
        self.work()
        return type(other) is Point and self.at == other.at

    def __hash__(self) -> int:
        self.work()
        return hash(self.at)

    def __add__(self, other: Any) -> Any:
        self.work()
        return Point(self.at + (other.at if type(other) is Point else other))

    def __sub__(self, other: Any) -> Any:
        self.work()
        return Point(self.at - (other.at if type(other) is Point else other))


def points() -> Calendar:
    """Return a calendar whose keys, ids and labels are points."""
    now = Point(0)
    calendar = Calendar(clock=lambda: now)
    for name in "ab":
        calendar.add_resource(Resource(name, 1 + (name == "b")))
        for at in range(0, 12, 4):
            calendar.book(name, Point(at), Point(at + 2), id=Point(at + 100 * ord(name)), guest=Point(at))
    calendar.add_resource(Resource(Point(1)))
    calendar.add_resource(Resource("turn", before=Point(1)))
    calendar.tag("a", Point(7))
    calendar.create_index("value", key=lambda resource: Point(5))
    calendar.create_booking_index("guest")
    calendar.hold("turn", Point(50), Point(52), ttl=Point(90), id="held")
    calendar.close("b", Point(30), Point(31))
    return calendar


def both(calendar: Calendar) -> None:
    """Book and remove in one step."""
    with calendar.transaction():
        calendar.book("a", Point(2), Point(3))
        calendar.remove_booking(Point(9704))


POINTS: dict[str, Callable[[Calendar], Any]] = {
    "is_available": lambda c: c.is_available("a", Point(2), Point(4)),
    "of a point": lambda c: c.is_available(Point(1), Point(2), Point(4)),
    "resource": lambda c: c.resource(Point(1)),
    "conflicts": lambda c: c.conflicts("b", Point(1), Point(7)),
    "bookings": lambda c: list(c.bookings("a", Point(1), Point(7))),
    "all bookings": lambda c: list(c.bookings(None, Point(1), Point(7))),
    "explain": lambda c: str(c.explain("b", Point(29), Point(33), 2)),
    "free_busy": lambda c: c.free_busy("turn", Point(1), Point(60)),
    "occupancy": lambda c: list(c.occupancy("b", Point(1), Point(60))),
    "book": lambda c: c.book("a", Point(2), Point(4)),
    "book by id": lambda c: c.book("b", Point(2), Point(4), id=Point(9), guest=Point(3)),
    "asked again": lambda c: c.book("a", Point(0), Point(2), id=Point(9700), guest=Point(0), if_exists="return"),
    "add_booking": lambda c: c.add_booking(BookingEvent("a", Point(2), Point(4))),
    "load": lambda c: c.load([BookingEvent("a", Point(at), Point(at + 1)) for at in range(20, 60)]),
    "book_all": lambda c: c.book_all([("a", Point(2), Point(3)), ("a", Point(1), Point(3))], on_conflict="skip"),
    "book_any": lambda c: c.book_any(["a", Point(1)], Point(2), Point(4), strategy="best_fit"),
    "hold": lambda c: c.hold("a", Point(2), Point(4), until=Point(70)),
    "extend": lambda c: c.extend("held", until=Point(99)),
    "remove_booking": lambda c: c.remove_booking(Point(9700)),
    "get": lambda c: c.get(Point(9700)),
    "in": lambda c: Point(9700) in c,
    "move": lambda c: c.move(Point(9700), start=Point(2), end=Point(3)),
    "move to": lambda c: c.move(Point(9700), resource="b"),
    "change": lambda c: c.change(Point(9700), guest=Point(5)),
    "change the quantity": lambda c: c.change(Point(9800), quantity=2),
    "split": lambda c: c.split(Point(9700), Point(1)),
    "find_available": lambda c: c.find_available(Point(1), Point(7)).ids(),
    "tag": lambda c: c.tag("b", Point(7), Point(8)),
    "untag": lambda c: c.untag("a", Point(7)),
    "tagged": lambda c: c.tagged(Point(7)).ids(),
    "tags_of": lambda c: c.tags_of("a"),
    "add_resource": lambda c: c.add_resource(Resource(Point(2))),
    "with buffers": lambda c: c.add_resource(Resource("new", after=Point(2))),
    "remove_resource": lambda c: c.remove_resource(Point(1)),
    "reindex": lambda c: c.reindex("a"),
    "index": lambda c: c.index("value").between(Point(1), Point(9)).ids(),
    "order_by": lambda c: c.resources.order_by("value").ids(),
    "booking index": lambda c: list(c.booking_index("guest").equal(Point(4))),
    "create_index": lambda c: c.create_index("new", key=lambda resource: Point(3)),
    "create_booking_index": lambda c: c.create_booking_index("new", key=lambda event: event.guest),
    "gaps": lambda c: list(c.gaps("a", Point(0), Point(20), at_least=Point(2))),
    "next_available": lambda c: c.next_available("a", Point(0), Point(2)),
    "nearest": lambda c: c.nearest("a", Point(0), Point(2)),
    "common_gaps": lambda c: list(c.common_gaps(["a", "b"], Point(0), Point(20))),
    "find_slots": lambda c: list(c.find_slots(Point(2), Point(0), Point(20))),
    "on a grid": lambda c: list(c.find_slots(Point(2), Point(0), Point(20), step=Point(3))),
    "close": lambda c: c.close("a", Point(1), Point(5)),
    "closures": lambda c: c.closures("b"),
    "reopen": lambda c: c.reopen(c.closures("b")[0]),
    "find": lambda c: c.find([Point(1), "a"]).ids(),
    "a transaction": both,
}


@pytest.fixture
def calm() -> Iterator[None]:
    """Let no point raise before and after."""
    Point.left = None
    yield
    Point.left = None


@pytest.mark.usefixtures("calm")
@pytest.mark.parametrize("error", LACKED)
@pytest.mark.parametrize("name", POINTS)
def test_what_keys_ids_and_labels_lack_is_passed_on(name: str, error: type[Exception]) -> None:
    """Whichever step of theirs raises it, and all later ones: the error comes out, and the call was made or not made."""
    Point.error = error
    calendar = points()
    before = stands(calendar)
    POINTS[name](calendar)
    after = stands(calendar)
    steps = 0
    while steps < 4000:
        calendar = points()
        Point.left = steps
        try:
            POINTS[name](calendar)
            if Point.left >= 0:
                return
        except (error, TransactionError) as exc:
            assert type(exc) is error or "undone" in str(exc), steps
        finally:
            Point.left = None
        assert stands(calendar) in (before, after), steps
        calendar.check()
        steps += 1 + steps // 8
    raise AssertionError("the call needs more steps")


def stands(calendar: Calendar) -> Any:
    """Return what is booked, closed, tagged and registered."""
    return (
        [(getattr(event.id, "at", event.id), event.start.at, event.end.at) for event in calendar.bookings()],
        len(calendar.resources),
        len(calendar.closures()),
        [len(calendar.tags_of(name)) for name in "ab"],
    )


KEPT = {
    "model/errors.py": 8,  # the sentence of an error must not raise another one
    "persist/errors.py": 1,
    "calendar.py": 2,  # fast paths: the general path does the same again, and raises
    "engine/bulk_load.py": 2,  # so does booking one by one
    "engine/log.py": 1,  # a subscriber's error is reported, for others wait to be told
    "engine/state.py": 3,  # what has to be undone first, or is done again by the next call
    "engine/registry.py": 1,  # in the midst of a change, which goes on without it
    "index/attribute_index.py": 1,
    "stores/memory/store.py": 1,
    "persist/journal/directory.py": 1,  # threads of their own, which nobody waits for
    "persist/journal/opening.py": 1,
    "persist/shared/follower.py": 1,
    "persist/shared/turns.py": 1,  # raised in the thread whose command it is
    "tables/filling.py": 1,  # raised when the rows before it have been booked
}
"""How many handlers in a file keep a lack of memory to themselves, and why they do."""


def keeps_lacks(node: ast.Try) -> int:
    """Return how many handlers catch every exception, and neither raise it again nor come after one for what is lacking."""
    found, passed = 0, False
    for handler in node.handlers:
        caught = {name.id for name in ast.walk(handler.type or ast.Name("BaseException")) if isinstance(name, ast.Name)}
        last = handler.body[-1]
        raises = isinstance(last, ast.Raise) and last.exc is None
        tells = any(isinstance(name, ast.Name) and name.id == "LACKING" for part in handler.body for name in ast.walk(part))
        found += bool("Exception" in caught and not (passed or raises or tells))
        passed = passed or bool(caught & {"LACKING", "MemoryError", "BaseException"})
    return found


def test_no_other_code_takes_a_lack_of_memory_for_something_else() -> None:
    """A handler for every exception comes after one that passes on what is lacking."""
    root = Path(bookcore.__file__).parent
    found: dict[str, int] = {}
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if not name.startswith(("testing/", "cli/")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            if count := sum(keeps_lacks(node) for node in ast.walk(tree) if isinstance(node, ast.Try)):
                found[name] = count
    assert found == KEPT
