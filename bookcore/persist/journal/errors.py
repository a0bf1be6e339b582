"""The errors of journals: a class for each way in which a caller may react.

A plain `JournalError` comes from the operating system (no permission, disk full), or says that the place does not hold the
calendar that was asked for.
"""

from __future__ import annotations

from bookcore.model.errors import StoreError, brief, masked

__all__ = [
    "JournalClosedError",
    "JournalDamagedError",
    "JournalError",
    "JournalInUseError",
    "JournalPositionError",
    "JournalReadOnlyError",
    "JournalReplacedError",
    "JournalTimeoutError",
    "JournalVersionError",
    "MissingExtensionError",
    "PartitionNotHeldError",
    "RefereeError",
    "UnknownOutcomeError",
]


class JournalError(StoreError):
    """Base of the errors of journals. Attributes: ``path``, ``offset`` (or None), ``reason``."""

    def __init__(self, path: object, reason: str, *, offset: int | None = None) -> None:
        where = f" at byte {offset}" if offset is not None else ""
        shown = masked(path)
        super().__init__(f"journal {shown}{where}", reason)
        self.path, self.offset = shown, offset


class JournalDamagedError(JournalError):
    """The directory differs from what was written: a file is damaged, forged, renamed or gone."""


class JournalVersionError(JournalError):
    """A file or a database has a format that this version cannot read. Attributes: ``found``, ``known`` (format numbers)."""

    def __init__(self, path: object, found: int, known: int) -> None:
        reason = f"format {found} is newer than {known}, the newest this version of bookcore reads; take a newer bookcore"
        if found < known:
            reason = f"format {found} is older than {known}; `bookcore db upgrade` brings the database up to it"
        super().__init__(path, reason)
        self.found, self.known = found, known


class JournalInUseError(JournalError):
    """Another calendar has the directory open.

    Attributes: ``pid``, ``host`` of its process, None if they are not known; ``here`` (whether it is this process).
    """

    def __init__(self, path: object, pid: int | None, host: str | None, here: bool = False) -> None:
        holder = "another process" if pid is None else f"process {pid} on {host}"
        if here:
            holder += ", this one"
        super().__init__(path, f"is open in {holder}; one calendar at a time writes it")
        self.pid, self.host, self.here = pid, host, here


class JournalClosedError(JournalError):
    """The journal takes no more records: it was closed, writing to it failed, or this is a forked process."""

    @classmethod
    def after_close(cls, path: object) -> JournalClosedError:
        """Return the error of a shared journal that was closed."""
        return cls(path, "takes no more changes: the calendar was closed")

    @classmethod
    def in_fork(cls, path: object, pid: int) -> JournalClosedError:
        """Return the error of a process that was forked from the owner of a shared journal."""
        return cls(path, f"process {pid} has it open, from which this one was forked; open it anew in this one")


class JournalTimeoutError(JournalError):
    """Another process or thread kept a shared journal locked for too long, or a record did not come in time.

    Attribute: ``timeout`` (seconds).
    """

    def __init__(self, path: object, reason: str, timeout: float) -> None:
        super().__init__(path, reason)
        self.timeout = timeout

    @classmethod
    def kept_locked(cls, path: object, holder: str, timeout: float) -> JournalTimeoutError:
        """Return the error of a call that has waited for *holder* in vain."""
        way = "nothing was changed; call again, or open it with a longer timeout"
        return cls(path, f"{holder} kept it locked for longer than {round(timeout, 2):g} seconds; {way}", timeout)


class MissingExtensionError(JournalError):
    """The database lacks an extension that its tables need, and it cannot be created. Attribute: ``extension``."""

    def __init__(self, path: object, extension: str, why: str) -> None:
        way = f"have its owner or a superuser run CREATE EXTENSION {extension} in it, or say ?tables=no in the address"
        super().__init__(path, f"its tables need the extension {extension}, which it has not ({why}): {way}")
        self.extension = extension


class RefereeError(JournalError):
    """The database refused a booking, because in its tables another booking overlaps it, or has its id. Nothing was changed.

    Either another program has written into the tables, or the calendar is wrong: ``bookcore db check`` finds out.
    Attributes: ``calendar`` (its name); ``resource``, ``span`` and the span ``other``, as the database names them, or None.
    """

    def __init__(
        self, path: object, calendar: str, why: str, resource: str | None = None, span: str | None = None,
        other: str | None = None,
    ) -> None:  # fmt: skip
        way = "`bookcore db check` says where records and tables differ"
        super().__init__(path, f"the change was not made: by the tables of calendar {brief(calendar)} {why}; {way}")
        self.calendar, self.resource, self.span, self.other = calendar, resource, span, other


class JournalReplacedError(JournalError):
    """A shared journal is not the one that the calendar has read: it was replaced by an older copy or by another journal.

    Attribute: ``reloaded``, true if it is the same calendar in PostgreSQL with another history, as after a failover to a
    standby that lacked the last records. Then memory follows that history, or will in the next call: repeat the call.
    """

    def __init__(self, path: object, reason: str, *, reloaded: bool = False) -> None:
        super().__init__(path, reason)
        self.reloaded = reloaded

    @classmethod
    def after_reload(cls, path: object, way: str) -> JournalReplacedError:
        """Return the error for a call that began in a history which the database no longer has; *way* says what to do."""
        what = "the database has another history than this calendar has followed, as after a failover to a standby that"
        return cls(path, f"{what} lacked the last records; the calendar has been reloaded: {way}", reloaded=True)


class UnknownOutcomeError(JournalError):
    """It is not known whether a change is committed: the server did not confirm it, or its standby may lack it.

    The calendar does not have the change; if it was committed, it comes with the next record that is read. Repeating
    the call with the same id settles it; without an id the booking may be made twice. Looking for the booking does not
    settle it: a primary that has lost its standby shows changes that may still be lost.
    """

    @classmethod
    def of_change(cls, path: object, why: str, first: str = "") -> UnknownOutcomeError:
        """Return the error for a change whose commit was cut off; *first* says what to do before the call is repeated."""
        way = f'{first}repeat the call with the same id and if_exists="return"; a booking without an id may be made twice'
        return cls(path, f"it is unknown whether the change was committed ({why}); {way}")


class PartitionNotHeldError(JournalError):
    """A call is, or may be, about a partition that this calendar was not opened with.

    Attributes: ``partitions`` (the numbers of those it may be about), ``held`` (the numbers of those that are open).
    """

    def __init__(self, path: object, what: object, partitions: tuple[int, ...], held: tuple[int, ...]) -> None:
        listed, where = (", ".join(map(str, numbers)) for numbers in (held, partitions))
        may = "is in partition" if len(partitions) == 1 else "is in none of them; it may be in one of the partitions"
        way = f"ask a process that holds it, or open the calendar with partitions=[{where}] as well"
        super().__init__(path, f"{brief(what)} {may} {where}, and this calendar holds {listed}: {way}")
        self.partitions, self.held = partitions, held


class JournalPositionError(JournalError):
    """The state that was asked for is older than all that is kept, or newer than the last record. Attribute: ``asked``."""

    def __init__(self, path: object, asked: object, reason: str) -> None:
        super().__init__(path, f"the state at {asked} cannot be read: {reason}")
        self.asked = asked


class JournalReadOnlyError(JournalError):
    """A command was called on a calendar that is only read: a state of the past, or a follower."""


def other_bounds(path: object, has: str, asked: str | None) -> JournalError:
    """Return the error for other bounds than those with which the calendar was made."""
    return JournalError(path, f"its calendar has the bounds {has!r}, not {asked!r}; leave bounds out, or take another place")
