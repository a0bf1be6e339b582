"""The rows of the table of `docs/calling.md` that are about key functions and the code of ids."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bookcore import Calendar, RecursiveCallError, Resource, no

READS: dict[str, Callable[[Calendar, Any], Any]] = {
    "list": lambda calendar, rooms: list(rooms),
    "first": lambda calendar, rooms: rooms.first(1),
    "ids": lambda calendar, rooms: rooms.ids(),
    "common_gaps": lambda calendar, rooms: calendar.common_gaps(rooms, 0, 9),
    "in a set": lambda calendar, rooms: {room.id for room in rooms},
    "book_all": lambda calendar, rooms: calendar.book_all((room, 3, 4) for room in rooms),
    "book_any": lambda calendar, rooms: calendar.book_any(rooms, 3, 4),
    "close_all": lambda calendar, rooms: calendar.close_all(rooms, 3, 4),
    "set_hours": lambda calendar, rooms: calendar.set_hours(rooms, None),
}
UNDER_THE_LOCK = ("book_any", "close_all", "set_hours")
NEVER: dict[str, Callable[[Calendar, Any], Any]] = {
    "len": lambda calendar, rooms: len(rooms),
    "in": lambda calendar, rooms: "a" in rooms,
    "bool": lambda calendar, rooms: bool(rooms),
    "a term": lambda calendar, rooms: calendar.find(rooms, [rooms, no(rooms)]).ids(),
    "slots": lambda calendar, rooms: list(calendar.find_slots(1, 0, 9, rooms)),
}


@pytest.mark.parametrize("name", [*READS, *NEVER])
def test_from_where_a_function_of_order_by_is_called(name: str) -> None:
    calendar = Calendar()
    for room in "ab":
        calendar.add_resource(Resource(room))
    questions: list[Any] = []
    commands: list[str] = []

    def key(resource: Any) -> Any:
        questions.append(calendar.is_available(resource, 100, 101))
        try:
            calendar.tag(resource, f"label {len(commands)}")
            commands.append("done")
        except RecursiveCallError:
            commands.append("refused")
        return resource.id

    {**READS, **NEVER}[name](calendar, calendar.resources.order_by(key))
    assert all(questions)
    assert set(commands) == (set() if name in NEVER else {"refused" if name in UNDER_THE_LOCK else "done"})
    calendar.check()


class Id:
    """An id that asks when it is hashed or compared."""

    inside: Callable[[], None] = staticmethod(lambda: None)

    def __hash__(self) -> int:
        Id.inside()
        return 5

    def __eq__(self, other: object) -> bool:
        Id.inside()
        return self is other


CALLS: dict[str, Callable[[Calendar, Any], Any]] = {
    "book": lambda calendar, id: calendar.book("a", 1, 2, id=id),
    "hold": lambda calendar, id: calendar.hold("a", 1, 2, id=id),
    "get": lambda calendar, id: calendar.get(id),
    "in": lambda calendar, id: id in calendar,
    "remove_booking": lambda calendar, id: calendar.remove_booking(id),
    "move": lambda calendar, id: calendar.move(id, start=3, end=4),
    "split": lambda calendar, id: calendar.split(id, 7),
    "add_resource": lambda calendar, id: calendar.add_resource(Resource(id)),
    "tag": lambda calendar, id: calendar.tag("a", id),
    "find": lambda calendar, id: calendar.find([id]).ids(),
}


@pytest.mark.parametrize("name", CALLS)
def test_from_where_the_code_of_an_id_is_called(name: str) -> None:
    """It may ask before the change, is refused in the midst of it, and commands nothing within a call."""
    calendar = Calendar()
    calendar.add_resource(Resource("a"))
    id = Id()
    if name in ("get", "in", "remove_booking", "move", "split"):
        calendar.book("a", 5, 9, id=id)
    answers: list[Any] = []
    done: list[str] = []

    def inside() -> None:
        if calendar._gate.lock._is_owned():  # type: ignore[attr-defined]  # else it is hashed before the call
            try:
                answers.append(calendar.is_available("a", 100, 101))
            except RecursiveCallError:
                answers.append("refused")
            with pytest.raises(RecursiveCallError):
                calendar.add_resource(Resource(len(done)))
            done.append("refused")

    Id.inside = staticmethod(inside)
    try:
        CALLS[name](calendar, id)
    except Exception as exc:
        raise AssertionError(name) from exc
    finally:
        Id.inside = staticmethod(lambda: None)
    assert done
    assert answers[0] is True
    assert set(answers) <= {True, "refused"}
    calendar.check()
