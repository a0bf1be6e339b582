"""`RecordingEngine`: the commands of a calendar with a journal. Each is a block, whose changes are one record.

A calendar without a journal has an `Engine`, and pays nothing for this.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from bookcore.engine.engine import Engine

P = ParamSpec("P")
T = TypeVar("T")


def _recorded(
    command: Callable[Concatenate[Any, P], T], ticks: bool = True
) -> Callable[Concatenate[RecordingEngine, P], T]:
    """Make a command a block. *ticks*: it releases expired holds first, which stay released if it is refused."""

    @wraps(command)
    def recording(self: RecordingEngine, /, *args: P.args, **options: P.kwargs) -> T:
        if ticks:
            self._tick()
        return self.state.undoing(True, partial(command, self, *args, **options))

    return recording


class RecordingEngine(Engine):
    """See `Engine`."""

    __slots__ = ()

    _add_resource = _recorded(Engine.add_resource, ticks=False)
    remove_resource = _recorded(Engine.remove_resource)
    book = _recorded(Engine.book)
    add_booking = _recorded(Engine.add_booking)
    remove_booking = _recorded(Engine.remove_booking)
    load = _recorded(Engine.load)
    hold = _recorded(Engine.hold)
    confirm = _recorded(Engine.confirm)
    extend = _recorded(Engine.extend)
    change = _recorded(Engine.change)
    move = _recorded(Engine.move)
    split = _recorded(Engine.split)
    book_any = _recorded(Engine.book_any)
    book_all = _recorded(Engine.book_all)
    close = _recorded(Engine.close)
    close_all = _recorded(Engine.close_all)
    reopen = _recorded(Engine.reopen, ticks=False)
    set_hours = _recorded(Engine.set_hours)
    set_capacity = _recorded(Engine.set_capacity)
    tag = _recorded(Engine.tag, ticks=False)
    create_index = _recorded(Engine.create_index, ticks=False)
    create_booking_index = _recorded(Engine.create_booking_index, ticks=False)
    reindex = _recorded(Engine.reindex, ticks=False)
    apply = _recorded(Engine.apply, ticks=False)

    def add_resource(
        self, resource: Any, capacity: int | None, before: Any, after: Any, id: Hashable, if_exists: str = "raise"
    ) -> Any:
        """See `Engine.add_resource`."""
        self.state.renumber()  # which is put off in a block
        return self._add_resource(resource, capacity, before, after, id, if_exists)
