"""The errors of snapshots: a class for each thing that a caller may do about them.

All are subclasses of `SnapshotError`, with path, offset and reason. A plain `SnapshotError` comes from the operating
system (no such file, no permission, disk full). The classes here concern the contents of the file, or values that
cannot be written to it.
"""

from __future__ import annotations

from collections.abc import Iterable

from bookcore.model.errors import KeyTypeError, SnapshotError

__all__ = [
    "SnapshotDamagedError",
    "SnapshotKeyError",
    "SnapshotTypeError",
    "SnapshotValueError",
    "SnapshotVersionError",
    "failure",
]


def other_keys(exc: Exception) -> str | None:
    """Return what to say of data that is refused because of the keys which the program stated; None for anything else."""
    if isinstance(exc, KeyTypeError) and exc.stated is not None:
        return f"its calendar has other keys than were asked for; leave out keys, or state those that it has ({exc})"
    return None


def failure(exc: BaseException) -> str:
    """Return the name of an exception's class and its message, for exceptions from any code."""
    try:
        text = str(exc)
    except Exception:  # the class's own __str__ failed, which must not hide the error that is reported
        text = ""
    return f"{type(exc).__name__}: {text}" if text else type(exc).__name__


class SnapshotDamagedError(SnapshotError):
    """The file differs from what was written: it is damaged, cut short, forged, or no snapshot at all."""


class SnapshotVersionError(SnapshotError):
    """The file has a format that this version cannot read. Attributes: ``found``, ``known`` (format numbers)."""

    def __init__(self, path: object, found: int, known: int, *, offset: int | None = None) -> None:
        self.found, self.known = found, known
        super().__init__(
            path,
            f"format {found} is newer than {known}, the newest this version of bookcore reads; take a newer bookcore",
            offset=offset,
        )


class SnapshotKeyError(SnapshotError):
    """The key is missing, wrong, not needed, or not 1 to 64 bytes."""


class SnapshotTypeError(SnapshotError):
    """A class in the file was not passed, or a class cannot be written. Attribute: ``names`` (of the classes)."""

    def __init__(self, path: object, reason: str, names: Iterable[str]) -> None:
        self.names = tuple(names)
        super().__init__(path, reason)


class SnapshotValueError(SnapshotError):
    """A value in the calendar cannot be written. Attribute: ``value``."""

    def __init__(self, path: object, value: object, reason: str) -> None:
        self.value = value
        super().__init__(path, reason)
