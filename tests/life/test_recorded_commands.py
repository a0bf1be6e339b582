"""`RecordingEngine` records every command that there is, and nothing else."""

from __future__ import annotations

from bookcore.engine.engine import Engine
from bookcore.engine.recording import RecordingEngine

COMMANDS = {
    "add_booking", "add_resource", "apply", "book", "book_all", "book_any", "change", "close", "close_all", "confirm",
    "create_booking_index", "create_index", "extend", "hold", "load", "move", "reindex", "remove_booking", "remove_resource",
    "reopen", "set_capacity", "set_hours", "split", "tag",
}  # fmt: skip
NO_COMMANDS = {"conflict", "examine", "subscribe"}
"""Methods of an `Engine` that change nothing that is kept."""


def test_every_command_is_recorded() -> None:
    """A command that was forgotten would return without a record of what it changed; a question needs none."""
    assert {name for name in vars(RecordingEngine) if not name.startswith("_")} == COMMANDS


def test_every_method_is_known_as_a_command_or_as_none() -> None:
    """`RecordingEngine` takes each new method of an `Engine` for a command: the sets here say which it is."""
    methods = {name for name, method in vars(Engine).items() if callable(method) and not name.startswith("_")}
    assert methods == COMMANDS | NO_COMMANDS
