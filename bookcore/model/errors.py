"""All errors that bookcore raises on purpose. Their root is `BookcoreError`.

Callers catch a class and read its attributes; the message is built from these and need not be parsed. A class has a builtin
base only where a caller would catch that (``ValueError``, ``TypeError``, ``KeyError``). ``http_hint`` is the status that an
HTTP server may answer with; the core does not use it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, time, timedelta
from typing import Any, TypeVar

from bookcore.model.typecheck import plain_text

T = TypeVar("T")


def brief(value: object, limit: int = 80) -> str:
    """Return ``repr(value)`` cut to *limit* characters; never raises, whatever ``__repr__`` does.

    >>> brief("x" * 100, 10)
    "'xxxxxx..."
    >>> brief(1 << 99_999)  # Python refuses to convert this int to a string
    '<int of 100,000 bits>'
    """
    try:
        text = plain_text(repr(value)) or ""
    except Exception:  # a hostile __repr__ must not hide the error that is being built
        text = f"<int of {value.bit_length():,} bits>" if type(value) is int else f"<{_class_name(value)} whose repr fails>"
    return brief_text(text, limit)


LACKING = (MemoryError, RecursionError)
"""Exceptions that say what a call lacked, and nothing about its arguments: no call replaces them by an error of ours."""


def attempt(call: Callable[[], T], otherwise: T) -> T:
    """Return what a call of the caller's own code returns, or another value if it raises. What it lacks is raised.

    >>> attempt(lambda: hash([]), None), attempt(lambda: hash(1), None)
    (None, 1)
    """
    try:
        return call()
    except LACKING:
        raise
    except Exception:
        return otherwise


class blaming:  # noqa: N801 - used like a function; as a generator with `contextmanager` it would take three times as long
    """Raise what *error* makes of an exception of the caller's own code, in its place; those of *passed* stay as they are.

    Code that runs in less than a few microseconds writes ``except LACKING: raise`` before ``except Exception`` instead.

    >>> with blaming(lambda exc: QueryError(None, f"cannot be iterated ({type(exc).__name__})")):
    ...     list(None)
    Traceback (most recent call last):
    bookcore.errors.QueryError: None: cannot be iterated (TypeError)
    """

    __slots__ = ("_error", "_passed")

    def __init__(self, error: Callable[[Exception], Exception], *passed: type[Exception]) -> None:
        self._error, self._passed = error, passed

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, exc: Any, trace: object) -> None:
        # not isinstance: an exception may claim a class
        if kind is not None and issubclass(kind, Exception) and not issubclass(kind, LACKING + self._passed):
            raise self._error(exc) from exc


SHOWN = 3
"""How many of the bookings in the way the message of a `ConflictError` names."""

_READABLE = (date, time, timedelta)


def brief_key(key: object) -> str:
    """Return a key or a length for a message, as short as `brief`: dates and times by their ``str``.

    >>> brief_key(date(2026, 5, 4)), brief_key(timedelta(hours=9)), brief_key("2026")
    ('2026-05-04', '9:00:00', "'2026'")
    """
    if issubclass(type(key), _READABLE):
        try:
            return brief_text(plain_text(str(key)) or "")
        except Exception:  # a hostile __str__ must not hide the error that is being built
            return brief(key)
    return brief(key)


def _class_name(value: object) -> str:
    try:
        return plain_text(type(value).__name__) or ""
    except Exception:  # the code of a metaclass
        return "object"


def brief_text(text: str, limit: int = 80) -> str:
    """Return *text* cut to *limit* characters, `visible`."""
    return visible(text if len(text) <= limit else text[: limit - 3] + "...")


_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
"""Characters that Python counts as printable, and that have no width."""


def visible(value: object) -> str:
    r"""Return ``str(value)`` with all characters escaped that are not seen: they control, reorder, or have no width.

    So a text cannot control a terminal, and different texts look different. An int that Python refuses to convert to
    decimal digits is shown in hexadecimal ones.

    >>> print(visible("a\x1b[31mb\u200b\n"), visible(1 << 40_000)[:6])
    a\x1b[31mb\u200b\n 0x1000
    """
    text = plain_text(value)
    if text is None:
        try:
            text = plain_text(str(value)) or ""
        except Exception:  # a hostile __str__, or an int of thousands of digits
            text = hex(value) if type(value) is int else brief(value)
    if text.isprintable() and (text.isascii() or not _UNSEEN.search(text)):
        return text
    return "".join(map(_escaped, text))


def _escaped(char: str) -> str:
    if char.isprintable() and not _UNSEEN.match(char):
        return char
    return repr(char)[1:-1] if char.isascii() else char.encode("ascii", "backslashreplace").decode()


_SERVER = r"((?:(?!(?:sqlite|dbzero|file):)[a-z][a-z0-9+.-]+:/+|postgres(?:ql)?:?/*))"
_SECRETS = tuple(
    re.compile(pattern, re.IGNORECASE | re.DOTALL) for pattern in (
    rf"^{_SERVER}[^?]*@",
    rf"^{_SERVER}[^=]*@",
    rf"^{_SERVER}[^/?@:]*:(?![0-9]*(?:[/?,]|$)).*@",  # a password with any of these characters, and not a port
    r"((?:^|[?&\s])(?:ssl)?pass(?:word|wd)\s*=\s*)(?:'(?:[^'\\]|\\.)*'|[^&\s]+)",
))  # fmt: skip


def masked(path: object) -> object:
    """Return a path or an address as errors tell it, without user and password; what has none as it is.

    >>> masked("postgresql://ada:secret@host/rooms"), masked("host=here password=secret"), masked("rooms")
    ('postgresql://***@host/rooms', 'host=here password=***', 'rooms')
    """
    given = text = plain_text(path) or visible(path)
    for pattern in _SECRETS:
        text = pattern.sub(lambda match: f"{match[1]}***{'@' if match[0].endswith('@') else ''}", text)
    return path if text == given else text


_ADDRESS = re.compile(
    r"(postgres(ql)?|sqlite|dbzero)(:|//)|\s*(host|hostaddr|port|user|password|dbname|service)\s*=.*\s\w+\s*=",
    re.IGNORECASE | re.DOTALL,
)


def is_like_address(text: str) -> bool:
    """Tell whether a text is the address of a database, or may be a misspelt one, or a connection string of libpq.

    >>> is_like_address("postgresql:/host/rooms"), is_like_address("host=here user=ada"), is_like_address("./sqlite:x")
    (True, True, False)
    """
    return _ADDRESS.match(text) is not None


def _span(start: object, end: object, bounds: str = "[)") -> str:
    left = "-inf" if start is None else brief_key(start)
    right = "+inf" if end is None else brief_key(end)
    return f"{bounds[0]}{left}, {right}{bounds[1]}"


def _name(resource: object) -> str:
    try:
        return brief(getattr(resource, "id", resource))
    except Exception:  # the object's own code must not hide the error that is being built
        return brief(resource)


class BookcoreError(Exception):
    """Root of all errors that bookcore raises on purpose.

    They can be pickled and copied, with their facts. A fact that pickle and deepcopy do not take, such as a function or a
    calendar, is replaced by its short form.
    """

    http_hint = 400
    request: Any = None
    """The request of `Calendar.book_all` that was refused, if that call raised the error."""

    def _facts(self) -> dict[str, Any]:
        """Return the attributes that a copy gets."""
        return dict(self.__dict__)

    def __reduce__(self) -> tuple[Any, ...]:
        facts = {name: _portable(value) for name, value in self._facts().items()}
        return _error_from, (type(self), _ARGS.__get__(self)), facts

    def __copy__(self) -> BookcoreError:
        error = _error_from(type(self), _ARGS.__get__(self))
        error.__dict__.update(self._facts())
        return error


class InvalidSpanError(BookcoreError, ValueError):
    """The span is empty or reversed, or one of its ends is not a point (NaN).

    Attributes: ``start``, ``end``, ``reason``.
    """

    def __init__(self, start: object, end: object, reason: str = "") -> None:
        self.start, self.end = start, end
        self.reason = reason or "the end must come after the start"
        BookcoreError.__init__(self, f"not a span: {_span(start, end)}: {self.reason}")


class KeyTypeError(BookcoreError, TypeError):
    """A key that cannot be compared with the calendar's keys, or does not support the operation that a call needs.

    Attributes: ``key``, ``reason``; ``stated`` (the keys that the calendar was made with, if it is none of these, or None).
    """

    stated: object = None

    def __init__(self, key: object, reason: str, stated: object = None) -> None:
        self.key, self.reason, self.stated = key, reason, stated
        super().__init__(f"key {brief_key(key)}: {reason}")


class InvalidKeyError(InvalidSpanError, KeyTypeError):
    """A NaN or NaT was given as a key: it is not a point of the axis, so it cannot be an end of a span.

    Both an `InvalidSpanError` and a `KeyTypeError`. Attributes: ``key``, ``start``, ``end``, ``reason``.
    """

    def __init__(self, key: object, start: object, end: object) -> None:
        self.key, self.start, self.end = key, start, end
        self.reason = f"{brief_key(key)} is not a point of the axis"
        # not `super()`, because both base classes would build messages of their own
        BookcoreError.__init__(self, f"not a span: {_span(start, end)}: {self.reason}")


class InvalidQuantityError(BookcoreError, ValueError):
    """A quantity or a capacity that is not a whole number of at least one. Attribute: ``quantity``."""

    def __init__(self, quantity: object, what: str = "quantity") -> None:
        self.quantity = quantity
        super().__init__(f"a {what} is a whole number of at least 1, got {brief(quantity)}")


class FieldError(BookcoreError, TypeError):
    """The event class does not accept the given fields. Attributes: ``event_type``, ``fields``, ``reason``."""

    def __init__(self, event_type: type, fields: Iterable[str], reason: str) -> None:
        self.event_type, self.fields, self.reason = event_type, tuple(fields), reason
        given = f" with {', '.join(self.fields)}" if self.fields else ""
        super().__init__(f"{event_type.__name__} cannot be made{given}: {reason}")


class _ToldLaterError(BookcoreError):
    """An error whose message is made when it is asked for, because it says what takes time to find."""

    def _message(self) -> str:
        raise NotImplementedError

    def __str__(self) -> str:
        return self._message()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._message()!r})"

    @property
    def args(self) -> tuple[Any, ...]:  # type: ignore[override]
        """The message, as of other exceptions."""
        return (self._message(),)


class ConflictError(_ToldLaterError):
    """The span is not available.

    Attributes: ``resource``, ``start``, ``end``, ``quantity``; ``conflicts`` (the bookings in the way, by
    start, then in order of booking); ``causes`` (texts for other causes: closures, hours, capacity);
    ``in_the_way`` (conflicts and causes, as they are in the message).

    If a resource has many bookings, the last three and the message are found when they are first asked for, or just before
    the calendar changes or a transaction begins: they say what was in the way when the span was refused, not what is in the
    way now. To ask for them takes the calendar's lock. ``conflicts`` and ``causes`` raise `KeyTypeError` or `StoreError` if
    they could not be found, because a comparison of keys or the store failed; the message then says so.
    """

    http_hint = 409

    def __init__(
        self,
        resource: object,
        start: object,
        end: object,
        conflicts: Iterable[Any] = (),
        *,
        causes: Iterable[str] = (),
        quantity: int = 1,
        bounds: str = "[)",
    ) -> None:
        BookcoreError.__init__(self)
        self.resource, self.start, self.end, self.quantity, self._bounds = resource, start, end, quantity, bounds
        self._found: tuple[tuple[Any, ...], tuple[str, ...]] = tuple(conflicts), tuple(causes)
        self._failed: Exception | None = None
        self._near: tuple[str, ...] = ()  # for the first conflicts: why they are in the way, if they do not overlap the span
        self._look: Callable[[], tuple[Iterable[Any], Iterable[str], Iterable[str]]] | None = None
        self._ask: Callable[[Callable[[], None]], None] | None = None

    def look_later(
        self,
        look: Callable[[], tuple[Iterable[Any], Iterable[str], Iterable[str]]],
        ask: Callable[[Callable[[], None]], None],
    ) -> None:
        """Have *look* find the conflicts and causes when they are asked for, and what the text says of each. For calendars.

        *ask* calls the function that it is given with the calendar's lock held.
        """
        self._look, self._ask = look, ask

    def settle(self, last: bool = False) -> None:
        """Find the conflicts and causes now, unless they are known. The lock is held. For calendars.

        What *look* raises is raised, and the next call looks again. If this call is the *last* one that can look, because
        the calendar is about to change, an `Exception` is kept and raised later, by ``conflicts``; Ctrl-C is raised at once.
        """
        look = self._look
        if look is None:
            return
        try:
            conflicts, causes, near = look()
            self._found, self._near = (tuple(conflicts), tuple(causes)), tuple(near)
        except Exception as exc:
            if not last:
                raise
            why = f"what was in the way was not found before the calendar changed: {type(exc).__name__}"
            self._failed = exc.with_traceback(None) if isinstance(exc, BookcoreError) else BookcoreError(why)
        self._look = None

    def _known(self) -> tuple[tuple[Any, ...], tuple[str, ...]]:
        if self._look is not None and self._ask is not None:
            self._ask(self.settle)
        if self._failed is not None:
            raise self._failed
        return self._found

    @property
    def conflicts(self) -> tuple[Any, ...]:
        """The bookings in the way, by start, then in order of booking."""
        return self._known()[0]

    @property
    def causes(self) -> tuple[str, ...]:
        """Texts for the causes that are no bookings."""
        return self._known()[1]

    @property
    def in_the_way(self) -> str:
        """The first conflicts, the number of the others, and the causes."""
        try:
            conflicts, causes = self._known()
        except Exception as exc:  # a message must not raise
            why = getattr(exc, "reason", "") or str(exc)
            return f"the bookings in the way cannot be listed ({type(exc).__name__}: {brief(why)})"
        shown = [
            f"booking {brief(event.id, 40)} {_span(event.start, event.end, self._bounds)}{near}"
            for event, near in zip(conflicts[:SHOWN], self._near or ("",) * SHOWN, strict=False)
        ]
        if len(conflicts) > SHOWN:
            shown.append(f"{len(conflicts) - SHOWN} more bookings")
        return "; ".join([*shown, *causes]) or "taken"

    def _message(self) -> str:
        many = f"{brief(self.quantity)} of " if self.quantity != 1 else ""
        span = _span(self.start, self.end, self._bounds)
        return f"{many}{_name(self.resource)} is not available in {span}: {self.in_the_way}"

    def _facts(self) -> dict[str, Any]:
        failed: Exception | None = None
        try:
            self._known()
        except LACKING:
            raise
        except Exception as exc:  # a copy tells of the failure as well
            failed = exc
        return {**self.__dict__, "_failed": failed, "_look": None, "_ask": None}


class NoneAvailableError(_ToldLaterError):
    """None of the requested resources is available.

    Attributes: ``start``, ``end``, ``quantity``; ``asked`` (the number of resources that matched); ``refused`` (a
    `ConflictError` with the conflicts, for each of the first few of them).
    """

    http_hint = 409

    def __init__(
        self,
        start: object,
        end: object,
        quantity: int,
        asked: int,
        refused: Iterable[ConflictError] = (),
        *,
        bounds: str = "[)",
    ) -> None:
        BookcoreError.__init__(self)
        self.start, self.end, self.quantity, self.asked, self._bounds = start, end, quantity, asked, bounds
        self.refused: tuple[ConflictError, ...] = tuple(refused)

    def _message(self) -> str:
        many = f" for {brief(self.quantity)} units" if self.quantity != 1 else ""
        reasons = [f"{_name(refusal.resource)} ({refusal.in_the_way})" for refusal in self.refused]
        if self.asked > len(reasons) > 0:
            reasons.append(f"{self.asked - len(reasons)} more")
        shown = f": {'; '.join(reasons)}" if reasons else ""
        subject = f"no resource of {self.asked:,} is" if self.asked else "no resource matches, and none is"
        return f"{subject} available{many} in {_span(self.start, self.end, self._bounds)}{shown}"


class ResourceError(BookcoreError):
    """An object that cannot be registered or used as a resource. Attributes: ``resource``, ``reason``."""

    def __init__(self, resource: object, reason: str) -> None:
        self.resource, self.reason = resource, reason
        super().__init__(f"{brief(resource)} cannot be used as a resource: {reason}")


class AssignmentError(BookcoreError, AttributeError):
    """An attribute that a calendar has read is assigned to or deleted, which would have no effect on the calendar.

    Attributes: ``owner`` (the resource or event), ``attribute``, ``reason``.
    """

    def __init__(self, owner: object, attribute: str, reason: str) -> None:
        self.owner, self.attribute, self.reason = owner, attribute, reason
        BookcoreError.__init__(self, f"{attribute} of {brief(owner)} cannot be changed: {reason}")


class _LookupError(BookcoreError, KeyError):
    """A KeyError whose ``str`` is its message, not the repr of the message."""

    http_hint = 404

    def __str__(self) -> str:
        return str(self.args[0])


class UnknownResourceError(_LookupError):
    """No such resource is in the calendar. Attributes: ``resource``, ``standing`` (another object with its id, or None)."""

    def __init__(self, resource: object, standing: object = None) -> None:
        self.resource, self.standing = resource, standing
        if standing is None:
            super().__init__(f"resource {_name(resource)} is not in this calendar; add_resource(...) it first")
        else:
            other = f"its id is that of {brief(standing)}; give an id, or register it by add_resource(..., id=...)"
            super().__init__(f"resource {brief(resource)} is not in this calendar: {other}")


class DuplicateResourceError(BookcoreError):
    """A resource with that id, or that resource with another id, is in the calendar.

    Attributes: ``resource``, ``id``; ``reason`` (why it is not what was asked for, if that was to be returned, else empty).
    """

    http_hint = 409

    def __init__(self, resource: object, id: object = None, reason: str = "") -> None:
        self.resource, self.reason = resource, reason
        self.id = getattr(resource, "id", None) if id is None else id
        known = f"a resource with id {brief(self.id)} is in this calendar already"
        why = f": {reason}" if reason else ""
        way = "" if reason else "add_resource(..., if_exists='return') or "
        known = f"{known}{why}; {way}calendar.resource({brief(self.id)}) returns it"
        super().__init__(f"{known}, add_resource(..., id=...) gives another id")


class ResourceInUseError(BookcoreError):
    """The resource still has bookings. Attributes: ``resource``, ``count``."""

    http_hint = 409

    def __init__(self, resource: object, count: int) -> None:
        self.resource, self.count = resource, count
        held = "a booking; remove or move it" if count == 1 else f"{count:,} bookings; remove or move them"
        super().__init__(f"resource {_name(resource)} still has {held} first")


class UnknownBookingError(_LookupError):
    """The booking is not active in the calendar. Attributes: ``booking``, ``reason``."""

    def __init__(self, booking: object, reason: str = "this calendar has no such booking") -> None:
        self.booking, self.reason = booking, reason
        super().__init__(f"booking {_name(booking)}: {reason}")


class DuplicateBookingError(BookcoreError):
    """A booking with that id is active already.

    Attributes: ``booking`` (the refused event, or its id if the event was not made yet), ``standing`` (the active event),
    ``reason`` (why it is not what was asked for, if the request was to return that, else empty).
    """

    http_hint = 409

    def __init__(self, booking: object, standing: object = None, reason: str = "") -> None:
        self.booking, self.standing, self.reason = booking, standing, reason
        why = f": {reason}" if reason else ""
        super().__init__(f"a booking with id {_name(booking if standing is None else standing)} exists already{why}")


class HoldExpiredError(UnknownBookingError):
    """The hold ran out before it was confirmed.

    Attributes: ``booking``, ``until``, ``now`` (None in a calendar without a clock), ``reason``.
    """

    http_hint = 410

    def __init__(self, booking: object, until: object, now: object) -> None:
        self.booking, self.until, self.now = booking, until, now
        present = "" if now is None else f"; it is {brief_key(now)} now"
        self.reason = f"ran out at {brief_key(until)}{present}"
        BookcoreError.__init__(self, f"the hold {_name(booking)} {self.reason}")


class UnknownClosureError(_LookupError):
    """The closure is not active in this calendar. Attribute: ``closure``."""

    def __init__(self, closure: object) -> None:
        self.closure = closure
        super().__init__(f"closure {brief(closure)} does not stand in this calendar")


class HoursError(BookcoreError, ValueError):
    """An invalid opening-hours or recurrence rule, or an invalid question to one. Attributes: ``value``, ``reason``."""

    def __init__(self, value: object, reason: str) -> None:
        self.value, self.reason = value, reason
        super().__init__(f"{brief(value)}: {reason}")


class CalendarFileError(HoursError):
    """A calendar file (.ics), or a part of one, that cannot be read or written.

    Attributes: ``value``, ``reason``; ``uid`` of the event, and ``line`` of the file, both None where there is none.
    """

    def __init__(self, value: object, reason: str, *, uid: str | None = None, line: int | None = None) -> None:
        self.value, self.reason, self.uid, self.line = value, reason, uid, line
        where = [f"line {line}"] if line is not None else []
        where += [f"event {brief(uid)}"] if uid else []
        BookcoreError.__init__(self, f"{', '.join([*where, brief(value)])}: {reason}")


class QueryError(BookcoreError, TypeError):
    """An invalid term or argument. Attributes: ``term``, ``reason``."""

    def __init__(self, term: object, reason: str) -> None:
        self.term, self.reason = term, reason
        super().__init__(f"{brief(term)}: {reason}")


class IndexNameError(_LookupError):
    """There is no index of that name, or there is one already. Attributes: ``name``, ``reason``."""

    http_hint = 400

    def __init__(self, name: object, reason: str) -> None:
        self.name, self.reason = name, reason
        super().__init__(f"index {brief(name)}: {reason}")


class TransactionError(BookcoreError):
    """A change that cannot be applied, or an undo that failed. Attribute: ``reason``."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class RecursiveCallError(TransactionError):
    """A call of a calendar from within another call of it, on the same thread; see docs/calling.md. Attribute: ``reason``.

    It comes from code that runs in the midst of a call: a comparison or a hash of keys, a key function, the clock, a
    finalizer (``__del__``, `weakref.finalize`) or a signal handler. Subscribers are not concerned.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        Exception.__init__(self, f"{reason}; put it off until that call has returned (a queue, or Calendar.subscribe)")


class CalendarBrokenError(BookcoreError):
    """A change was cut off half-way (by Ctrl-C, lack of memory), and the calendar could not be mended. ``reason`` says why.

    The calendar answers nothing until `Calendar.rebuild` succeeds. If that raises, too, restore a snapshot.
    """

    http_hint = 503

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"{reason}; no call is answered until Calendar.rebuild() succeeds")


class StoreError(BookcoreError):
    """Base of the errors of stores. Attributes: ``store`` (its class name), ``reason``."""

    http_hint = 503

    def __init__(self, store: object, reason: str) -> None:
        name = plain_text(store)
        self.store = type(store).__name__ if name is None else name
        self.reason = reason
        super().__init__(f"{self.store}: {reason}")


class SnapshotError(BookcoreError):
    """Base of the errors of snapshot files. Attributes: ``path``, ``offset`` (or None), ``reason``."""

    http_hint = 500

    def __init__(self, path: object, reason: str, *, offset: int | None = None) -> None:
        self.path, self.reason, self.offset = masked(path), reason, offset
        where = f" at byte {offset}" if offset is not None else ""
        super().__init__(f"snapshot {self.path}{where}: {reason}")


class MissingExtraError(BookcoreError, ImportError):
    """A needed optional package is not installed. Attributes: ``package``, ``extra``."""

    def __init__(self, package: str, extra: str) -> None:
        self.package, self.extra = package, extra
        super().__init__(f"{package} is not installed: pip install 'bookcore[{extra}]'")


@contextmanager
def needing(package: str, extra: str) -> Iterator[None]:
    """Raise `MissingExtraError` where an import of what an extra unlocks fails.

    >>> with needing("nosuchpackage", "postgres"):
    ...     import nosuchpackage
    Traceback (most recent call last):
    bookcore.errors.MissingExtraError: nosuchpackage is not installed: pip install 'bookcore[postgres]'
    """
    try:
        yield
    except MissingExtraError:  # of an older version than is needed
        raise
    except ImportError as exc:
        raise MissingExtraError(package, extra) from exc


_ARGS: Any = BaseException.args
"""The message as the interpreter keeps it; that of a `_ToldLaterError` is made when it is read."""


def _error_from(cls: type[BookcoreError], args: tuple[Any, ...]) -> BookcoreError:
    """Make an error with a message and without facts, for pickle and copy."""
    error = cls.__new__(cls)
    _ARGS.__set__(error, args)
    return error


def _portable(value: Any) -> Any:
    """Return a value, or its short form if it cannot be pickled."""
    import pickle  # here, because few programs need it

    try:
        pickle.dumps(value)
    except Exception:
        return BookcoreError(brief(str(value))) if isinstance(value, Exception) else brief(value)
    return value


for _class in list(globals().values()):
    if isinstance(_class, type) and issubclass(_class, BookcoreError) and not _class.__name__.startswith("_"):
        _class.__module__ = "bookcore.errors"  # which tracebacks and pickles name, and programs import
