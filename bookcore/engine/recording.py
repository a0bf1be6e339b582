"""`RecordingEngine`: the commands of a calendar with a journal. Each is a block, whose changes are one record.

A calendar without a journal has an `Engine`, and pays nothing for this.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial
from typing import Any

from bookcore.engine.engine import Engine, all_or_nothing

_recorded = partial(all_or_nothing, ticks=True)


class RecordingEngine(Engine):
    """See `Engine`."""

    __slots__ = ()

    _add_resource = all_or_nothing(Engine.add_resource)
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
    reopen = all_or_nothing(Engine.reopen)
    set_hours = _recorded(Engine.set_hours)
    set_capacity = _recorded(Engine.set_capacity)
    tag = all_or_nothing(Engine.tag)
    create_index = all_or_nothing(Engine.create_index)
    create_booking_index = all_or_nothing(Engine.create_booking_index)
    reindex = all_or_nothing(Engine.reindex)
    apply = all_or_nothing(Engine.apply)

    def add_resource(
        self, resource: Any, capacity: int | None, before: Any, after: Any, id: Hashable, if_exists: str = "raise"
    ) -> Any:
        """See `Engine.add_resource`."""
        self.state.renumber()  # which is put off in a block
        return self._add_resource(resource, capacity, before, after, id, if_exists)
