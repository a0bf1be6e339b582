"""`RecordingEngine` records every command that there is."""

from __future__ import annotations

from bookcore.engine.engine import Engine
from bookcore.engine.recording import RecordingEngine

NO_COMMANDS = {"conflict", "examine", "subscribe"}
"""Methods of an `Engine` that change nothing that is kept."""


def test_every_command_is_recorded() -> None:
    """A command that was forgotten would return without a record of what it changed."""
    commands = {name for name, method in vars(Engine).items() if callable(method) and not name.startswith("_")}
    recorded = {name for name in vars(RecordingEngine) if not name.startswith("_")}
    assert recorded == commands - NO_COMMANDS
