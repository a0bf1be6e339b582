"""`RecordingEngine`: the commands of a calendar with a journal. Each is a block, whose changes are one record.

A calendar without a journal has an `Engine`, and pays nothing for this.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from bookcore.engine.engine import Engine, all_or_nothing

_NO_COMMANDS = frozenset({"conflict", "examine", "subscribe"})
"""Methods of an `Engine` that change nothing that is kept."""

_WITHOUT_CLOCK = frozenset({"apply", "create_booking_index", "create_index", "reindex", "reopen", "tag"})
"""Commands before which no expired hold is released."""


class RecordingEngine(Engine):
    """See `Engine`."""

    __slots__ = ()
    _add_resource = all_or_nothing(Engine.add_resource)

    def add_resource(
        self, resource: Any, capacity: int | None, before: Any, after: Any, id: Hashable, if_exists: str = "raise"
    ) -> Any:
        """See `Engine.add_resource`."""
        self.state.renumber()  # which is put off in a block
        return self._add_resource(resource, capacity, before, after, id, if_exists)


for _name, _command in vars(Engine).items():
    if not (_name.startswith("_") or _name in _NO_COMMANDS or _name in vars(RecordingEngine)) and callable(_command):
        setattr(RecordingEngine, _name, all_or_nothing(_command, ticks=_name not in _WITHOUT_CLOCK))
