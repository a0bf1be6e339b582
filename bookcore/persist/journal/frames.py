"""A journal file as bytes: a header, then frames, one for each record.

    header   offset  size                                                        all numbers little-endian
                  0     8   magic
                  8     2   format version
                 10     2   flags (1: the records are sealed by a key)
                 12     8   store id
                 20     8   sequence number of the first record
                 28     4   crc32 of everything before
    frame         0     4   length of the record, at least 1
                  4     4   crc32 of the salt, all other fields of the frame, and the record
                  8     8   sequence number, one more than that of the frame before
                 16     8   the sequence number up to which all records were on the disk when this one was written
                 24     -   the record; with a key its last 16 bytes are its seal

The salt is the store id and the first sequence number: a frame of another file is not valid in this one. Length 0 is not
valid, so a block of zeros is no frame. The seal is a keyed BLAKE2b of the salt, the numbers of the frame and the record: who
has not the key cannot make another record, nor put one elsewhere. The checksum is there with a key as well, because it tells
a write that was cut off from a forged one.

Where a frame is not valid, the file ends: a write was cut off, by a power cut say, and its record was never acknowledged.
But a disk may lose one write and keep a later one, and it may damage what it has kept for years. The last field tells these
two apart: a valid frame after the place which says that the record there was on the disk proves damage.
"""

from __future__ import annotations

import struct
from hashlib import blake2b
from hmac import compare_digest
from typing import NamedTuple
from zlib import crc32

__all__ = [
    "FRAME_SIZE", "HEADER_SIZE", "SEAL_SIZE", "VERSION", "Frames", "Header", "frame", "header", "read_frames", "read_header",
    "seal",
]  # fmt: skip

VERSION = 1
MAGIC = b"\x89BKJL\r\n\x1a"  # is not text, and changes if a program converts line ends
_HEADER = struct.Struct("<8sHH8sQ")
_CHECK = struct.Struct("<I")
_FRAME = struct.Struct("<IIQQ")
_REST = struct.Struct("<IQQ")
_NUMBERS = struct.Struct("<QQQ")
HEADER_SIZE = _HEADER.size + _CHECK.size
FRAME_SIZE = _FRAME.size
"""The size of a frame without its record."""
STORE_ID_SIZE = 8
SEAL_SIZE = 16
_SEALED = 1


class Header(NamedTuple):
    """The header of a file."""

    version: int
    store_id: bytes
    first: int
    is_sealed: bool


class Frames(NamedTuple):
    """The frames of a file: ``records`` are their offsets and sizes, ``end`` is where the last valid one ends.

    ``proof`` is the offset of a later frame which proves that the file is damaged at ``end``, or None; it is ``end`` itself
    if the frame there is whole, and was not sealed by the key.
    """

    records: list[tuple[int, int]]
    end: int
    proof: int | None


def seal(secret: bytes, *parts: bytes) -> bytes:
    """Return a digest of *parts* that only who has the key can make; nothing where there is no key."""
    if not secret:
        return b""
    return blake2b(b"".join(parts), digest_size=SEAL_SIZE, key=secret, person=b"bookcore.journal").digest()


def header(store_id: bytes, first: int, secret: bytes = b"") -> bytes:
    """Return the header of a file whose first record will have the number *first*."""
    data = _HEADER.pack(MAGIC, VERSION, _SEALED if secret else 0, store_id, first)
    return data + _CHECK.pack(crc32(data))


def read_header(data: bytes) -> Header | None:
    """Return what the header of a file says; None if these bytes are no header."""
    if len(data) < HEADER_SIZE or data[: len(MAGIC)] != MAGIC:
        return None
    _, version, flags, store_id, first = _HEADER.unpack_from(data)
    if flags not in (0, _SEALED) or _CHECK.unpack_from(data, _HEADER.size)[0] != crc32(data[: _HEADER.size]):
        return None
    return Header(version, store_id, first, flags == _SEALED)


def _salt(store_id: bytes, first: int) -> int:
    return crc32(store_id + first.to_bytes(8, "little"))


def frame(store_id: bytes, first: int, sequence: int, synced: int, record: bytes, secret: bytes = b"") -> bytes:
    """Return the frame of a record, for the file whose header has this store id and first sequence number.

    >>> read_frames(header(b"8 bytes.", 7) + frame(b"8 bytes.", 7, 7, 6, b"record"), b"8 bytes.", 7)
    Frames(records=[(56, 6)], end=62, proof=None)
    """
    record += seal(secret, store_id, _NUMBERS.pack(first, sequence, synced), record)
    check = crc32(record, crc32(_REST.pack(len(record), sequence, synced), _salt(store_id, first)))
    return _FRAME.pack(len(record), check, sequence, synced) + record


def read_frames(data: bytes, store_id: bytes, first: int, secret: bytes = b"") -> Frames:
    """Return the frames of a file whose header was read, and which is sealed if there is a key.

    Raises: nothing, whatever the bytes are. Complexity: O(bytes); more where the file is damaged.
    """
    view, salt = memoryview(data), _salt(store_id, first)
    records: list[tuple[int, int]] = []
    at, sequence = HEADER_SIZE, first
    while True:
        found = _valid(view, at, salt)
        if found is None or found[1] != sequence:
            break
        start, length = at + FRAME_SIZE, found[0]
        if secret:
            length -= SEAL_SIZE
            made = seal(secret, store_id, _NUMBERS.pack(first, sequence, found[2]), data[start : start + max(length, 0)])
            if not compare_digest(made, data[start + length : at + FRAME_SIZE + found[0]]):
                break
        records.append((start, length))
        at += FRAME_SIZE + found[0]
        sequence += 1
    return Frames(records, at, _proof(view, at, salt, sequence))


def _valid(view: memoryview, at: int, salt: int) -> tuple[int, int, int] | None:
    """Return length, sequence number and last field of the frame at an offset, or None if there is no valid one."""
    if at + FRAME_SIZE >= len(view):
        return None
    length, check, sequence, synced = _FRAME.unpack_from(view, at)
    start = at + FRAME_SIZE
    if not 0 < length <= len(view) - start:
        return None
    if check != crc32(view[start : start + length], crc32(_REST.pack(length, sequence, synced), salt)):
        return None
    return length, sequence, synced


def _proof(view: memoryview, at: int, salt: int, sequence: int) -> int | None:
    """Return the offset of a frame that proves that the record *sequence*, which should be at *at*, was on the disk.

    Such a frame says so in its last field; or it is the frame itself, which has been moved by damage.
    """
    rest = bytes(view[at:])
    if rest.count(0) == len(rest):  # most often there is nothing, or a file was made longer before its bytes were written
        return None
    for offset in range(at, len(view) - FRAME_SIZE):
        found = _valid(view, offset, salt)
        if found is not None and (found[1] == sequence or (found[1] > sequence and found[2] >= sequence)):
            return offset
    return None
