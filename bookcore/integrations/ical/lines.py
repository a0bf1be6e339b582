"""From the bytes of a calendar file to its components: encodings, line ends, folded lines, BEGIN and END.

A file is read line by line, so that its size does not matter. Of each component only the properties of `KEPT` are
remembered; what other lines say is passed over, but each has to be a line of the form ``NAME:value``.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, Final

from bookcore.model.errors import CalendarFileError
from bookcore.persist.fs import words

KEPT: Final = frozenset({
    "BUSYTYPE", "DTEND", "DTSTAMP", "DTSTART", "DURATION", "EXDATE", "EXRULE", "FREEBUSY", "LOCATION", "METHOD",
    "PRIORITY", "RDATE", "RECURRENCE-ID", "RRULE", "SEQUENCE", "STATUS", "SUMMARY", "TRANSP", "TRIGGER", "TZID",
    "TZOFFSETFROM", "TZOFFSETTO", "UID", "X-LIC-LOCATION", "X-MICROSOFT-CDO-BUSYSTATUS",
})  # fmt: skip
_MEANING: Final = KEPT - {"SUMMARY", "LOCATION", "DTSTAMP", "PRIORITY"}
_LONGEST: Final = 1 << 20
"""The bytes of a line that are read; the rest of a longer one is passed over."""
_WHOLE: Final = 1 << 26
"""The bytes of a file that has to be converted as a whole: UTF-16, or lines that end with CR alone."""
_DEEPEST: Final = 20

_NAME: Final = re.compile(r"\s*([A-Za-z0-9_.-]+)\s*(?=[;:])")
_PARAMETER: Final = re.compile(r"\s*;\s*([A-Za-z0-9_.-]+)\s*=\s*((?:\"[^\"]*\"|[^\";:])*)")
_PROSE: Final = re.compile(
    r"(?:SUMMARY|DESCRIPTION|LOCATION|COMMENT|CONTACT|CATEGORIES|RESOURCES|URL|ATTACH|ATTENDEE|ORGANIZER"
    r"|X-(?!MICROSOFT-CDO-BUSYSTATUS\b)[A-Z0-9-]+)\b",
    re.IGNORECASE,
)
_BLANK: Final = b" \t\r\n\0\x1a"  # NUL and Ctrl-Z are at the end of some old files
_UTF_8: Final = b"\xef\xbb\xbf"
_OTHERS: Final = (
    (b"PK\x03\x04", "this is a zip archive: unpack it first"),
    (b"\x1f\x8b", "this is a gzip archive: unpack it first"),
    (b"BEGIN:VCARD", "this is a vCard, an address and no calendar"),
    (b"<", "this is a web page or XML, and no calendar"),
)
_BOMS: Final = (
    (b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"),
    (b"B\0E\0", "utf-16-le"), (b"\0B\0E", "utf-16-be"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """One property: the number of its line, its parameters (names in upper case), and its value as it is written."""

    number: int
    name: str
    parameters: dict[str, str]
    value: str


@dataclass(slots=True)
class Component:
    """What is between BEGIN and END. ``faults`` are its lines that cannot be read: number, text and reason.

    ``broken`` is whether one of them says what the component means, so that the rest of it must not be used.
    """

    name: str
    line: int
    properties: dict[str, list[Line]] = field(default_factory=dict)
    parts: list[Component] = field(default_factory=list)
    faults: list[tuple[int, str, str]] = field(default_factory=list)
    broken: bool = False

    def text(self, name: str) -> str:
        r"""Return the text of a property, unescaped; "" without one.

        >>> Component("VEVENT", 1, {"SUMMARY": [Line(2, "SUMMARY", {}, r"talk\, at noon")]}).text("SUMMARY")
        'talk, at noon'
        """
        lines = self.properties.get(name)
        return re.sub(r"\\(.)", lambda match: "\n" if match[1] in "nN" else match[1], lines[0].value) if lines else ""

    @property
    def uid(self) -> str:
        """The UID, "" without one."""
        return self.text("UID").strip()


def one_of(component: Component, name: str) -> Line | None:
    """Return the only line of a property, None without one.

    Raises: `CalendarFileError` for two that say different things.
    """
    lines = component.properties.get(name, [])
    for line in lines:
        if (line.value, line.parameters) != (lines[0].value, lines[0].parameters):
            raise CalendarFileError(name, "is given twice, with different values", uid=component.uid, line=line.number)
    return next(iter(lines), None)


def components(
    source: Any, report: Callable[[CalendarFileError], None], note: Callable[[CalendarFileError], None]
) -> list[Component]:
    """Return the outermost components of a calendar, given as text, as bytes or as a path.

    What cannot be read of it goes to *report*: lines, and components without an end. Those are left out. Lines that begin
    with the name of a text, and so say nothing of times, go to *note*.

    Raises: `CalendarFileError` for a source that is no calendar. Complexity: O(length), O(what is kept) memory.
    """
    outermost: list[Component] = []
    stack: list[Component] = []
    file, skipped = _opened(source)
    with file:
        for number, text, reason in _logical_lines(file, skipped):
            line = text if reason else _parsed(number, text)
            if isinstance(line, str):
                why = reason or "a line is NAME:value, or goes on the one before if it begins with a space"
                if not reason and _PROSE.match(text):
                    note(CalendarFileError(text, why, line=number))
                elif stack:
                    stack[-1].faults.append((number, text, why))
                    stack[-1].broken |= re.split("[^A-Z-]", text.upper(), maxsplit=1)[0] in _MEANING
                else:
                    report(CalendarFileError(text, why, line=number))
            elif line.name == "BEGIN":
                if len(stack) == _DEEPEST:
                    raise CalendarFileError(text, "more than 20 components within each other", line=number)
                stack.append(Component(line.value.strip().upper(), number))
            elif line.name == "END":
                _close(line, stack, outermost, report)
            elif not stack:
                report(CalendarFileError(text, "is outside of BEGIN and END", line=number))
            elif line.name in KEPT:
                stack[-1].properties.setdefault(line.name, []).append(line)
    calendar = stack[0] if stack and stack[0].name == "VCALENDAR" else None
    whole = _drop(stack, 0, report, "the file is cut")
    return outermost + (whole if calendar is None else [replace(calendar, parts=whole)])


def _close(
    line: Line, stack: list[Component], outermost: list[Component], report: Callable[[CalendarFileError], None]
) -> None:
    """Take the component that END names from the stack to where it belongs; components in it without an end are dropped."""
    name = line.value.strip().upper()
    place = next((place for place in reversed(range(len(stack))) if stack[place].name == name), None)
    if place is None:
        report(CalendarFileError(f"END:{name}", "there is no BEGIN for it", line=line.number))
        return
    stack[place].parts += _drop(stack, place + 1, report, f"END:{name} of line {line.number} comes first")
    component = stack.pop()
    if not stack:
        outermost.append(component)
    else:
        stack[-1].parts.append(component)
    if stack and stack[-1].name not in ("VCALENDAR", ""):
        stack[-1].faults += component.faults  # an alarm is of the event that it belongs to
    else:
        for number, text, reason in component.faults:
            report(CalendarFileError(text, reason, uid=component.uid, line=number))


def _drop(stack: list[Component], place: int, report: Callable[[CalendarFileError], None], why: str) -> list[Component]:
    """Drop the components from a place of the stack on, which have no END. Return what is whole in them."""
    cut = stack[place:]
    del stack[place:]
    if cut:
        inner = cut[-1]
        report(CalendarFileError(f"BEGIN:{inner.name}", f"there is no END for it: {why}", uid=inner.uid, line=inner.line))
    return [part for component in cut for part in component.parts]


def _parsed(number: int, text: str) -> Line | str:
    """Return a property, or its text if it is none."""
    match = _NAME.match(text)
    if match is None:
        return text
    name, place = match[1].upper(), match.end()
    if name not in KEPT and name not in ("BEGIN", "END"):
        return Line(number, name, {}, "") if ":" in text else text
    parameters = {}
    while parameter := _PARAMETER.match(text, place):
        parameters[parameter[1].upper()] = parameter[2].replace('"', "").strip()
        place = parameter.end()
    rest = text[place:].lstrip()
    if not rest.startswith(":"):
        return text
    value = rest[1:] if name in ("SUMMARY", "LOCATION") else rest[1:].strip()
    if "TZID" in parameters and ":" in value:  # a colon in the name of a zone, not quoted
        more, _, value = value.rpartition(":")
        parameters["TZID"] += ":" + more
    return Line(number, name, parameters, value)


def _logical_lines(file: BinaryIO, skipped: int) -> Iterator[tuple[int, str, str]]:
    """Yield the number and text of each line, its continuations joined, and why it cannot be read ("" if it can)."""
    number, parts, length = 0, list[bytes](), 0
    for count, piece in _physical_lines(file, skipped):
        if parts and piece[:1] in (b" ", b"\t"):
            if length <= _LONGEST:
                parts.append(piece[1:])
            length += len(piece)
        elif piece.strip(_BLANK):
            if parts:
                yield _joined(number, parts, length)
            number, parts, length = count, [piece], len(piece)
    if parts:
        yield _joined(number, parts, length)


def _joined(number: int, parts: list[bytes], length: int) -> tuple[int, str, str]:
    whole = b"".join(parts)  # a character may be folded between its bytes
    try:
        text = whole.decode()
    except UnicodeDecodeError as exc:
        if length <= _LONGEST:
            shown = whole.decode("utf-8", "backslashreplace")
            return number, shown, f"not UTF-8 at byte {exc.start} of the line; decode the file, and give its text"
        text = whole.decode("utf-8", "ignore")
    if length > _LONGEST and (match := _NAME.match(text)) and match[1].upper() in KEPT:
        return number, text[:80], f"longer than {_LONGEST:,} bytes"
    return number, text, ""


def _physical_lines(file: BinaryIO, number: int) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the bytes of each line without its end, of a very long one the first part."""
    try:
        while piece := file.readline(_LONGEST + 2):
            number += 1
            more = piece
            while more and not more.endswith(b"\n"):
                more = file.readline(_LONGEST)
            yield number, piece.rstrip(b"\r\n")
    except (OSError, EOFError, zlib.error) as exc:
        raise CalendarFileError(file, f"this file cannot be read: {words(exc)}", line=number + 1) from exc


def _opened(source: Any) -> tuple[BinaryIO, int]:
    """Return a file of UTF-8 with lines that end with LF or CR LF, at its first line, and how many blank ones precede it."""
    if isinstance(source, PathLike):
        try:
            file: BinaryIO = Path(source).open("rb")  # noqa: SIM115 - the caller closes it
        except (OSError, ValueError) as exc:
            raise CalendarFileError(str(source), f"this file cannot be read: {words(exc)}") from exc
    elif isinstance(source, str):
        file = io.BytesIO(source.encode("utf-8", "surrogatepass"))
    elif isinstance(source, bytes):
        file = io.BytesIO(source)
    else:
        file = source  # is open
    try:
        return _converted(file, source)
    except (OSError, EOFError, zlib.error) as exc:  # the latter of a damaged archive
        file.close()
        raise CalendarFileError(source, f"this file cannot be read: {words(exc)}") from exc
    except BaseException:
        file.close()
        raise


def _ends_with_cr(text: bytes) -> bool:
    """Tell whether lines end with CR alone, as the first one does; programs that know no such file put one LF at its end."""
    line, cr, rest = text.removeprefix(_UTF_8).lstrip(_BLANK).partition(b"\r")
    return bool(cr) and b"\n" not in line and not rest.lstrip(b"\r").startswith(b"\n")


def _converted(file: BinaryIO, source: Any) -> tuple[BinaryIO, int]:
    head = file.read(1 << 16)
    encoding = next((name for mark, name in _BOMS if head.startswith(mark)), None)
    if encoding is not None or _ends_with_cr(head):
        whole = head + file.read(_WHOLE - len(head) + 1)
        file.close()
        if len(whole) > _WHOLE:
            reason = f"of {encoding or 'lines that end with CR'}, files of at most {_WHOLE >> 20} MiB are read: convert it"
            raise CalendarFileError(source, f"{reason} to UTF-8 and LF")
        try:
            whole = whole.decode(encoding).encode() if encoding else whole
        except UnicodeDecodeError as exc:
            raise CalendarFileError(source, f"this looks like {encoding}, and is not: {exc.reason}") from exc
        if _ends_with_cr(whole):
            whole = whole.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        file, head = io.BytesIO(whole), whole[: 1 << 16]
    begun = head.removeprefix(_UTF_8).lstrip(_BLANK)
    if not begun:
        raise CalendarFileError(source, "this is empty, and no calendar")
    for mark, reason in _OTHERS:
        if begun[: len(mark)].upper() == mark:
            raise CalendarFileError(source, reason)
    if begun[:6].upper() != b"BEGIN:":
        reason = "no iCalendar: it does not begin with BEGIN:VCALENDAR. A file is given as pathlib.Path(name)"
        raise CalendarFileError(source, reason)
    place = len(head) - len(begun)
    file.seek(place)
    return file, head[:place].count(b"\n")
