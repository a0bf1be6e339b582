"""The file format of the demo's data: columns of numbers and small tables. The file contains no code.

    magic      8 bytes, ``BKCOLS1`` and a newline
    length     4 bytes, little endian: the length of the head
    head       JSON: title, source, licence, and one entry per section
    sections   one raw LZMA2 stream each, end to end, in the order of the head; nothing after the last

A section's entry holds ``name``, ``kind``, ``packed`` and ``crc32`` (length and checksum of the stream) and
``raw`` (length once unpacked). Kinds:

    json   UTF-8 JSON: small tables
    int    ``count`` integers, each stored as the difference to ``low`` in ``width`` bytes: byte 0 of all
           integers, then byte 1 of all, and so on, because similar bytes in sequence compress better.
           With ``delta`` each value is the difference to its predecessor (of the first: to zero).

The reader checks everything: the lengths must add up to the length of the file, checksums must match, and a stream
must unpack to exactly the length in its entry. Any difference is a `DemoDataError`.
"""

from __future__ import annotations

import json
import lzma
import struct
import zlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from sys import byteorder
from typing import Any

from bookcore.model.errors import BookcoreError

MAGIC = b"BKCOLS1\n"
LARGEST = 64 * 1024 * 1024  # the maximal unpacked bytes of a section; the demo's largest is under 1 MB
_UNFILTERS = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 22}]
_FILTERS = [_UNFILTERS[0] | {"preset": 9 | lzma.PRESET_EXTREME, "lc": 4, "lp": 0, "pb": 0}]
_CODES = {1: "B", 2: "H", 4: "I"}


class DemoDataError(BookcoreError):
    """The demo's data file is missing or damaged. Attributes: ``path``, ``reason``."""

    http_hint = 500

    def __init__(self, path: object, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path}: {reason}; install bookcore again to get the file back")


class Columns:
    """The content of a file of columns: ``head`` (title, source, licence), ``tables`` and ``numbers`` by name."""

    __slots__ = ("head", "numbers", "tables")

    def __init__(
        self, head: Mapping[str, str], tables: Mapping[str, Any], numbers: Mapping[str, Sequence[int]]
    ) -> None:
        self.head, self.tables, self.numbers = head, tables, numbers


def pack(columns: Columns, *, delta: Iterable[str] = ()) -> bytes:
    """Return *columns* as the bytes of a file; the number columns in *delta* are stored as differences.

    Complexity: O(n), at the speed of the slowest LZMA preset: seconds for a million numbers.

    >>> data = pack(Columns({"title": "t"}, {"names": ["a", "b"]}, {"x": [5, 7, 6]}), delta=["x"])
    >>> back = unpack(data)
    >>> back.tables["names"], back.numbers["x"], back.head["title"]
    (['a', 'b'], [5, 7, 6], 't')
    """
    differing = set(delta)
    entries: list[dict[str, Any]] = []
    streams: list[bytes] = []

    def add(raw: bytes, **entry: Any) -> None:
        stream = lzma.compress(raw, format=lzma.FORMAT_RAW, filters=_FILTERS)
        entries.append({**entry, "raw": len(raw), "packed": len(stream), "crc32": zlib.crc32(stream)})
        streams.append(stream)

    for name, table in columns.tables.items():
        add(json.dumps(table, ensure_ascii=False, separators=(",", ":")).encode(), name=name, kind="json")
    for name, values in columns.numbers.items():
        stored = [b - a for a, b in zip([0, *values], values, strict=False)] if name in differing else list(values)
        low = min(stored, default=0)
        top = max(stored, default=0) - low
        width = 1 if top < 1 << 8 else 2 if top < 1 << 16 else 4
        planes = [bytes(value - low >> 8 * place & 255 for value in stored) for place in range(width)]
        facts = {"count": len(stored), "low": low, "width": width, "delta": name in differing}
        add(b"".join(planes), name=name, kind="int", **facts)
    head = json.dumps({**columns.head, "sections": entries}, ensure_ascii=False, indent=1).encode()
    return b"".join([MAGIC, struct.pack("<I", len(head)), head, *streams])


def unpack(data: bytes, path: object = "demo data") -> Columns:
    """Return the content of the file *data*; *path* is its name in errors.

    Complexity: O(n); about 20 ns a number.
    Raises: `DemoDataError` for a file that violates the format.
    """
    try:
        return _unpack(data)
    except _DamageError as fault:
        raise DemoDataError(path, str(fault)) from None


class _DamageError(Exception):
    """A violation of the format; `unpack` adds the name of the file."""


def _unpack(data: bytes) -> Columns:
    if data[: len(MAGIC)] != MAGIC:
        raise _DamageError("it does not begin like a file of columns")
    at = len(MAGIC) + 4
    length = int.from_bytes(data[len(MAGIC) : at], "little")
    if len(data) < at + length:
        raise _DamageError("it is cut short in its head")
    try:
        head = json.loads(data[at : at + length])
        sections = [_Entry(entry) for entry in head.pop("sections")]
        about = {str(name): str(text) for name, text in head.items()}
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as fault:
        raise _DamageError(f"its head cannot be read ({type(fault).__name__})") from None
    at += length
    if at + sum(entry.packed for entry in sections) != len(data):
        raise _DamageError("its length is not what its head says")
    tables: dict[str, Any] = {}
    numbers: dict[str, Sequence[int]] = {}
    for entry in sections:
        raw = entry.open(data[at : at + entry.packed])
        at += entry.packed
        if entry.kind == "json":
            try:
                tables[entry.name] = json.loads(raw)
            except (ValueError, RecursionError):
                raise _DamageError(f"its table {entry.name!r} is not JSON") from None
        else:
            numbers[entry.name] = entry.numbers(raw)
    return Columns(about, tables, numbers)


class _Entry:
    """The entry of one section, with its values checked for type and range."""

    __slots__ = ("count", "crc32", "delta", "kind", "low", "name", "packed", "raw", "width")

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.name, self.kind = str(facts["name"]), facts["kind"]
        self.packed, self.raw, self.crc32 = (self._whole(facts[key]) for key in ("packed", "raw", "crc32"))
        if self.kind not in ("json", "int") or self.raw > LARGEST:
            raise ValueError(self.kind)
        if self.kind == "int":
            self.count, self.low = self._whole(facts["count"]), int(facts["low"])
            self.width, self.delta = facts["width"], facts["delta"] is True
            if self.width not in _CODES or self.count * self.width != self.raw:
                raise ValueError(self.width)

    @staticmethod
    def _whole(value: object) -> int:
        if type(value) is not int or value < 0:
            raise ValueError(value)
        return value

    def open(self, stream: bytes) -> bytes:
        """Return the checked bytes of the section; never unpacks more than the length in its entry."""
        if zlib.crc32(stream) != self.crc32:
            raise _DamageError(f"its section {self.name!r} is damaged: the checksum does not match")
        opener = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_UNFILTERS)
        try:
            raw = opener.decompress(stream, self.raw)
            if len(raw) == self.raw and not opener.eof:
                raw += opener.decompress(b"", 1)  # reads the end mark; any further byte is an error below
        except (lzma.LZMAError, EOFError):
            raise _DamageError(f"its section {self.name!r} cannot be unpacked") from None
        if len(raw) != self.raw or not opener.eof or opener.unused_data:
            raise _DamageError(f"its section {self.name!r} does not unpack to {self.raw} bytes")
        return raw

    def numbers(self, raw: bytes) -> list[int]:
        """Return the integers stored in *raw*."""
        mixed = bytearray(self.raw)
        for place in range(self.width):
            mixed[place :: self.width] = raw[place * self.count : (place + 1) * self.count]
        stored = array(_CODES[self.width], bytes(mixed))
        if byteorder == "big":
            stored.byteswap()
        low = self.low
        values = [value + low for value in stored]
        return list(accumulate(values)) if self.delta else values
