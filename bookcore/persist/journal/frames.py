"""A journal file as bytes: a header, then frames, one for each record.

    header   offset  size                                                        all numbers little-endian
                  0     8   magic
                  8     2   format version
                 10     2   flags (1: the records are sealed by a key)
                 12     8   store id
                 20     8   sequence number of the first record
                 28     8   time of the record before the first, or when the calendar was begun
                 36     4   crc32 of everything before
    frame         0     4   length of the record, at least 1
                  4     4   crc32 of the salt, all other fields of the frame, and the record
                  8     8   sequence number, one more than that of the frame before
                 16     8   the sequence number up to which all records were on the disk when this one was written
                 24     8   time when the record was written
                 32     -   the record; with a key its last 16 bytes are its seal

Times are microseconds since the beginning of 1970 in UTC, by the clock of the machine; none is before the one that precedes
it, also where that clock was set back.

The salt is the store id and the first sequence number: a frame of another file is not valid in this one. Length 0 is not
valid, so a block of zeros is no frame. The seal is a keyed BLAKE2b of the salt, the numbers of the frame and the record:
without the key no other record can be made, nor one put elsewhere. The checksum is there with a key as well, because it
tells a write that was cut off from a forged one.

Where a frame is not valid, the file ends: a write was cut off, by a power cut say, and its record was never acknowledged.
But a disk may also lose one write and keep a later one, or damage what it has kept for years. The field at offset 16 tells
the cases apart: if a valid frame comes later, and its field says that the record of the invalid frame was on the disk, the
file is damaged.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from functools import partial
from hashlib import blake2b
from hmac import compare_digest
from itertools import takewhile
from operator import is_not
from typing import NamedTuple
from zlib import crc32

VERSION = 1
MAGIC = b"\x89BKJL\r\n\x1a"  # no text begins so; a program that converts line ends changes it
_HEADER = struct.Struct("<8sHH8sQQ")
_CHECK = struct.Struct("<I")
_FRAME = struct.Struct("<IIQQQ")
_REST = struct.Struct("<IQQQ")
_NUMBERS = struct.Struct("<QQQQ")
_MOST = 1 << 26  # above the number of records in any file
HEADER_SIZE = _HEADER.size + _CHECK.size
FRAME_SIZE = _FRAME.size
"""The size of a frame without its record."""
_AFTER_LENGTH, _AFTER_CHECK = 4, 8  # offsets in a frame
STORE_ID_SIZE = 8
SEAL_SIZE = 16
_SEALED = 1


class Header(NamedTuple):
    """What the header of a file says."""

    version: int
    store_id: bytes
    first: int
    time: int
    is_sealed: bool


class Frame(NamedTuple):
    """Where the record of a frame is in its file, and what the frame says of it."""

    at: int
    size: int
    sequence: int
    synced: int
    time: int

    @property
    def end(self) -> int:
        """The offset after the record."""
        return self.at + self.size


class Frames(NamedTuple):
    """The frames of a file: ``records`` are in order from the first on, ``end`` is where the last of them ends.

    ``proof`` is the offset of a later frame which proves that the file is damaged at ``end``, or None; it is ``end`` itself
    if the frame there is whole, and was not sealed by the key.
    """

    records: list[Frame]
    end: int
    proof: int | None


def seal(secret: bytes, *parts: bytes | memoryview) -> bytes:
    """Return a digest of *parts* that cannot be made without the key; nothing where there is no key."""
    if not secret:
        return b""
    return blake2b(b"".join(parts), digest_size=SEAL_SIZE, key=secret, person=b"bookcore.journal").digest()


def header(store_id: bytes, first: int, time: int, secret: bytes = b"") -> bytes:
    """Return the header of a file whose first record will have the number *first*."""
    data = _HEADER.pack(MAGIC, VERSION, _SEALED if secret else 0, store_id, first, time)
    return data + _CHECK.pack(crc32(data))


def read_header(data: bytes) -> Header | None:
    """Return what a header says; None if the bytes are no header."""
    if len(data) < HEADER_SIZE or data[: len(MAGIC)] != MAGIC:
        return None
    _, version, flags, store_id, first, time = _HEADER.unpack_from(data)
    if flags not in (0, _SEALED) or _CHECK.unpack_from(data, _HEADER.size)[0] != crc32(data[: _HEADER.size]):
        return None
    return Header(version, store_id, first, time, flags == _SEALED)


def _salt(store_id: bytes, first: int) -> int:
    return crc32(store_id + first.to_bytes(8, "little"))


def frame(store_id: bytes, first: int, sequence: int, synced: int, time: int, record: bytes, secret: bytes = b"") -> bytes:
    """Return the frame of a record, for the file whose header has this store id and first sequence number.

    >>> data = header(b"8 bytes.", 7, 0) + frame(b"8 bytes.", 7, 7, 6, 0, b"record")
    >>> read_frames(data, b"8 bytes.", 7)
    Frames(records=[Frame(at=72, size=6, sequence=7, synced=6, time=0)], end=78, proof=None)
    """
    record += seal(secret, store_id, _NUMBERS.pack(first, sequence, synced, time), record)
    check = crc32(record, crc32(_REST.pack(len(record), sequence, synced, time), _salt(store_id, first)))
    return _FRAME.pack(len(record), check, sequence, synced, time) + record


def read_frames(data: bytes, store_id: bytes, first: int, secret: bytes = b"") -> Frames:
    """Return the frames of a file whose header was read; with a key, they are without their seals.

    Raises: nothing, whatever the bytes are. Complexity: O(bytes); more where the file is damaged.
    """
    view, salt = memoryview(data), _salt(store_id, first)
    records = sealed = _following(data, HEADER_SIZE, first, salt)
    if secret:
        unsealed = (_unsealed(view, each, store_id, first, secret) for each in sealed)
        records = list(takewhile(partial(is_not, None), unsealed))  # type: ignore[arg-type]
    at = sealed[len(records) - 1].end if records else HEADER_SIZE
    sequence = first + len(records)
    proof = None
    for later in _frames_from(data, at, salt, sequence, _last_time(data, records)):
        if later.sequence == sequence or later.synced >= sequence:
            proof = later.at - FRAME_SIZE
            break
    return Frames(records, at, proof)


def frames_after(data: bytes, before: Frames, store_id: bytes, first: int, secret: bytes = b"") -> list[Frame]:
    """Return the frames that can be read after the place where *before* ends, those of later records only, in order."""
    sequence, later = before.records[-1].sequence if before.records else first - 1, []
    view, salt = memoryview(data), _salt(store_id, first)
    for each in _frames_from(data, before.end, salt, sequence + 1, _last_time(data, before.records)):
        record = _unsealed(view, each, store_id, first, secret)
        if each.sequence > sequence and record is not None:
            later.append(record)
            sequence = each.sequence
    return later


def _unsealed(view: memoryview, sealed: Frame, store_id: bytes, first: int, secret: bytes) -> Frame | None:
    """Return a frame without the seal of its record, or None if that is not the seal of this key."""
    if not secret:
        return sealed
    size = max(0, sealed.size - SEAL_SIZE)
    numbers = _NUMBERS.pack(first, sealed.sequence, sealed.synced, sealed.time)
    made = seal(secret, store_id, numbers, view[sealed.at : sealed.at + size])
    return sealed._replace(size=size) if compare_digest(made, view[sealed.at + size : sealed.end]) else None


def _following(data: bytes, at: int, sequence: int, salt: int) -> list[Frame]:
    """Return the valid frames from an offset on, as long as they follow each other from this sequence number on."""
    unpack, make = _FRAME.unpack_from, partial(tuple.__new__, Frame)
    seeds: dict[int, int] = {}  # the checksum of salt and length: most records have one of a few lengths
    frames: list[Frame] = []
    size = len(data)
    while at < size - FRAME_SIZE:
        length, check, number, synced, time = unpack(data, at)
        start = at + FRAME_SIZE
        end = start + length
        if number != sequence or not length or end > size:
            break
        if length not in seeds:
            seeds[length] = crc32(data[at : at + _AFTER_LENGTH], salt)
        if check != crc32(data[at + _AFTER_CHECK : end], seeds[length]):
            break
        frames.append(make((start, length, number, synced, time)))
        at, sequence = end, sequence + 1
    return frames


def _last_time(data: bytes, records: list[Frame]) -> int:
    """Return the time of the last record that was read, or of the one before the file."""
    head = None if records else read_header(data)
    return records[-1].time if records else 0 if head is None else head.time


def _frames_from(data: bytes, at: int, salt: int, least: int, since: int) -> Iterator[Frame]:
    """Yield all valid frames from an offset on, wherever they begin, of records from the number *least* and a time on.

    The rest of a record that was cut off, of a large `load` say, holds numbers of all kinds. If a checksum were made
    wherever one of them might be a length, opening would take hours: it is made where all numbers may be those of a frame.
    """
    # most often there is nothing, or a file was made longer before its bytes were written
    if data.count(0, at) == len(data) - at:
        return
    end = least + _MOST
    # the number of a record is from *least* to *end*, so its upper half is one of two
    upper = b"|".join(re.escape((number >> 32).to_bytes(4, "little")) for number in {least, end})
    find = re.compile(rb"(?=.{8}(?!\0{8}).{4}(?:" + upper + rb"))", re.DOTALL).search
    while (match := find(data, at)) is not None and match.start() < len(data) - FRAME_SIZE:
        at = match.start()
        _, _, sequence, synced, time = _FRAME.unpack_from(data, at)
        is_likely = least <= sequence < end and synced < sequence and time >= since
        frames = _following(data, at, sequence, salt) if is_likely else []
        yield from frames
        at = frames[-1].end if frames else at + 1
