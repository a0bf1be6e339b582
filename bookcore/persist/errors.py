"""What can be wrong with a snapshot, sorted by what a caller would do about it.

All are `SnapshotError`: path, offset and reason. A plain `SnapshotError` is the machine's own refusal (no
such file, no permission, disk full); the classes here are about what the file holds, or about what was asked
to be put in it.
"""

from __future__ import annotations

from collections.abc import Iterable

from bookcore.model.errors import SnapshotError

__all__ = [
    "SnapshotDamagedError",
    "SnapshotKeyError",
    "SnapshotTypeError",
    "SnapshotValueError",
    "SnapshotVersionError",
    "failure",
]


def failure(exc: BaseException) -> str:
    """Return the class of an exception of anybody's and what it says, if it can say it."""
    try:
        text = str(exc)
    except Exception:  # its own code, which must not hide the error that is being built
        text = ""
    return f"{type(exc).__name__}: {text}" if text else type(exc).__name__


class SnapshotDamagedError(SnapshotError):
    """The file is not what was written: damaged, cut short, forged, or no snapshot at all."""


class SnapshotVersionError(SnapshotError):
    """The file is of a format this version cannot read. Attributes: ``found``, ``known``."""

    def __init__(self, path: object, found: int, known: int, *, offset: int | None = None) -> None:
        self.found, self.known = found, known
        super().__init__(
            path,
            f"format {found} is newer than {known}, the newest this version of bookcore reads",
            offset=offset,
        )


class SnapshotKeyError(SnapshotError):
    """The key is missing, wrong, not needed, or no key."""


class SnapshotTypeError(SnapshotError):
    """A class the snapshot needs was not handed in, or cannot be carried. Attribute: ``names`` (of the classes)."""

    def __init__(self, path: object, reason: str, names: Iterable[str]) -> None:
        self.names = tuple(names)
        super().__init__(path, reason)


class SnapshotValueError(SnapshotError):
    """Something in the calendar cannot be written down. Attribute: ``value``."""

    def __init__(self, path: object, value: object, reason: str) -> None:
        self.value = value
        super().__init__(path, reason)
