"""The snapshot file: sections of bytes in a file, with a digest that detects every change.

    offset  size
         0     8   magic
         8     2   format version                                             all numbers little-endian
        10     1   codec of the sections (0: pickle of one flat tuple of bytes, see flat.py)
        11     1   flags (1: the digest is keyed)
        12     4   number of sections
        16    16   store id
        32     8   last sequence number
        40     8   rows
        48     8   length of the body
        56     8   key check: tells a wrong key from a damaged file; zero without a key
        64     -   body: for each section its length (8) and its pickle
         -    32   BLAKE2b of everything before, keyed if the user gives a key
         -     8   end magic

When a file is read, these are checked in turn, and the first that is wrong raises an error: regular file, size limit,
magic, version, lengths, key, digest, opcodes, exact types. Until the digest has been checked, no section is read, and
reading takes no more memory than the size of the file.

A file is written under a temporary name in the folder of its target, synced, read back, and only then renamed to the
target. Another program that opens the target therefore sees the old file or the new file, both complete. While it is
written, the temporary file is locked: one that is not locked was left by a process that was killed, and the next file
that is written to this folder removes it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from hmac import compare_digest
from typing import Any

from bookcore.model.errors import QueryError, SnapshotError, blaming, brief, is_like_address
from bookcore.model.typecheck import is_a
from bookcore.persist.errors import SnapshotDamagedError, SnapshotKeyError, SnapshotVersionError, failure
from bookcore.persist.fs import FileSystem, read_all, sync_folder, words, write_all
from bookcore.persist.snapshot.flat import FlatError, dumps, loads

Section = tuple[bytes, ...]

VERSION = 2
"""The newest format. In format 1 bookings have no numbers, see `bookcore.persist.snapshot.state`; all else is the same."""
MAGIC = b"\x89BKSN\r\n\x1a"  # is not text, and changes if a program converts line ends
END_MAGIC = b"\x1aNSKB\r\n\x89"
_HEADER = struct.Struct("<8sHBBI16sQQQ8s")
_LENGTH = struct.Struct("<Q")
_DIGEST_SIZE = 32
_TRAILER_SIZE = _DIGEST_SIZE + len(END_MAGIC)
_FLAT_PICKLES = 0
_KEYED = 1


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts in the header of a file: id of the store, number of the last booking, number of bookings, format."""

    store_id: bytes = bytes(16)
    last_sequence: int = 0
    rows: int = 0
    version: int = 1


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on files: ``max_bytes`` is the size of the largest file that is read or written.

    Decoding a file takes memory and time in proportion to its size, whatever it contains: every row of every column takes
    at least one byte of the file, and what has no bytes of its own (containers in containers, values that rows share,
    values of one hash) is counted. A file may describe 65,536 such values, and ``max_ratio`` for each of its bytes; see
    `bookcore.persist.codec.budget`. A larger ratio is for files that you trust.

    Raises: `QueryError` for a limit that is no whole number from 0.
    """

    max_bytes: int = 1 << 30
    max_ratio: int = 1

    def __post_init__(self) -> None:
        for name in self.__slots__:
            limit = getattr(self, name)
            if type(limit) is not int or limit < 0:
                raise QueryError(limit, f"{name} is a whole number from 0")


_FILES = FileSystem()
_LIMITS = Limits()


def path_text(path: object) -> str:
    """Return *path* as text, or raise `SnapshotError` if it names no file."""
    with blaming(lambda exc: SnapshotError(brief(path), f"not a path ({failure(exc)})")):  # __fspath__ may raise anything
        given: Any = os.fsdecode(path)  # type: ignore[arg-type]  # raises for all that is no path
        text = str.__str__(given)  # exactly a str: a subclass may have methods of its own
        os.fsencode(text)
    if not text or "\0" in text:
        raise SnapshotError(repr(text), "not a path (empty, or with a NUL in it)")
    return text


def file_text(path: object) -> str:
    """Return the path of a file as text. Raises: `SnapshotError`, for the address of a database as well."""
    text = path_text(path)
    if is_like_address(text):
        way = "Calendar.open opens it by its address, and copy_calendar copies it to a file or a file to it"
        raise SnapshotError(text, f"that is the address of a database, and here the path of a file belongs; {way}")
    return text


def check_limits(path: object, limits: object) -> Limits:
    """Return *limits*, by default the usual ones, or raise `SnapshotError` if they are none."""
    if limits is None:
        return _LIMITS
    if not is_a(limits, Limits):
        raise SnapshotError(path, f"limits are Limits(...) of bookcore.persist.snapshot, not {brief(limits)}")
    return limits


def check_key(path: object, key: object) -> bytes:
    """Return *key* as BLAKE2b takes it (empty for none), or raise `SnapshotKeyError`."""
    if key is None:
        return b""
    if type(key) is not bytes or not 1 <= len(key) <= 64:
        ids = ", which seal the file; what makes ids is given to restore as resource_key" if callable(key) else ""
        raise SnapshotKeyError(path, f"a key is 1 to 64 bytes{ids}")
    return key


def write_file(
    path: str | os.PathLike[str], facts: Facts, sections: Sequence[Section], key: bytes | None = None,
    fs: FileSystem = _FILES, limits: Limits = _LIMITS,
) -> int:  # fmt: skip
    """Write a snapshot to *path*, replacing a file that is there, and return its size in bytes.

    If *path* is a symbolic link, the file that it leads to is replaced, and the link stays. Only its owner may read the
    file. Temporary files that killed processes left in the folder are removed. After a failure before the last step, the
    file at *path* is unchanged and the temporary file is removed. If syncing the folder fails after that step, the new
    file is in place and complete, and the error says so.

    Raises: `SnapshotError` for every error of the file system; `SnapshotKeyError`.

    Complexity: O(bytes), in time and memory.
    """
    target = path_text(path)
    secret = check_key(target, key)
    parts = parts_of(facts, sections, secret)
    size = sum(map(len, parts))
    if size > limits.max_bytes:  # better refused now than when it is needed
        reason = (
            f"not written: {size} bytes, and files of at most {limits.max_bytes} are read; pass limits="
            "Limits(max_bytes=...), of bookcore.persist.snapshot, to Calendar.snapshot and to Calendar.restore"
        )
        raise SnapshotError(target, reason)
    if fs.is_special(target):  # a folder, or a device, which the superuser could replace by a file
        raise SnapshotError(target, "not written: there is something at this path that is not a regular file")
    name = target
    try:
        target = fs.follow(name)
    except OSError as exc:
        raise SnapshotError(name, f"not written: {words(exc)}") from exc
    folder = os.path.dirname(target) or os.curdir
    fs.sweep(folder, MAGIC)
    try:
        temporary = os.path.join(folder, f".bookcore-{fs.token()}.tmp")
        fd = fs.create(temporary)
    except OSError as exc:
        raise SnapshotError(name, f"not written: no file can be made in {folder} ({words(exc)})") from exc
    guard = None
    try:
        guard = _guarded(fs, temporary, fd)
        _write_parts(fs, fd, parts)
        _read_back(fs, temporary, parts)
        fs.replace(temporary, target)
    except BaseException as exc:
        left = "" if _removed(fs, temporary) else f"; {temporary} could not be removed"
        if isinstance(exc, OSError):
            raise SnapshotError(name, f"not written: {words(exc)}{left}") from exc
        raise
    finally:
        if guard is not None:
            fs.release(guard)
    try:
        sync_folder(fs, folder)
    except OSError as exc:
        reason = f"written and whole, but a power cut may still undo this: the folder does not sync ({words(exc)})"
        raise SnapshotError(name, reason) from exc
    return size


def read_file(
    path: str | os.PathLike[str], key: bytes | None = None, limits: Limits = _LIMITS, fs: FileSystem = _FILES
) -> tuple[Facts, list[Section]]:
    """Return the facts and sections that `write_file` wrote.

    Raises: `SnapshotError` if the file cannot be opened or read, `SnapshotVersionError` for a newer format,
    `SnapshotKeyError`, and `SnapshotDamagedError` for any other difference from the file that was written.

    Complexity: O(bytes), in time and memory.
    """
    name = path_text(path)
    secret = check_key(name, key)
    try:
        data = _read_bytes(fs, name, limits)
    except FileNotFoundError as exc:
        raise SnapshotError(name, "there is no such file; Calendar.snapshot(path) writes one") from exc
    except PermissionError as exc:
        raise SnapshotError(name, "may not be read; a snapshot belongs to the user who wrote it") from exc
    except IsADirectoryError as exc:
        raise SnapshotError(name, "this is a folder, not a snapshot file") from exc
    except (OSError, ValueError) as exc:
        raise SnapshotError(name, f"cannot be read: {words(exc)}") from exc
    return parsed(name, data, secret)


def parts_of(facts: Facts, sections: Sequence[Section], secret: bytes = b"") -> list[bytes]:
    """Return the parts of a file, sealed by *secret* unless that is empty; the last is the trailer with the digest."""
    body: list[bytes] = []
    for section in sections:
        pickled = dumps(section)
        body += (_LENGTH.pack(len(pickled)), pickled)
    header = _HEADER.pack(
        MAGIC, facts.version, _FLAT_PICKLES, _KEYED if secret else 0, len(sections),
        facts.store_id, facts.last_sequence, facts.rows, sum(map(len, body)), _key_check(secret, facts.store_id),
    )  # fmt: skip
    parts = [header, *body]
    return [*parts, _digest(parts, secret) + END_MAGIC]


def _digest(parts: Iterable[bytes | memoryview], secret: bytes) -> bytes:
    digest = blake2b(digest_size=_DIGEST_SIZE, key=secret, person=b"bookcore.snap")
    for part in parts:
        digest.update(part)
    return digest.digest()


def _key_check(secret: bytes, store_id: bytes) -> bytes:
    if not secret:
        return bytes(8)
    return blake2b(store_id, digest_size=8, key=secret, person=b"bookcore.key").digest()


def _guarded(fs: FileSystem, path: str, fd: int) -> int | None:
    """Lock a temporary file; if that fails, close it."""
    try:
        return fs.guard(path)
    except BaseException:
        with suppress(OSError):
            fs.close(fd)
        raise


def _write_parts(fs: FileSystem, fd: int, parts: Iterable[bytes]) -> None:
    """Write and sync all of *parts*, and close the file whatever happens."""
    try:
        for part in parts:
            write_all(fs, fd, part)
        fs.sync(fd)
    except BaseException:
        with suppress(OSError):  # the first failure is the one that is reported
            fs.close(fd)
        raise
    fs.close(fd)


def _read_back(fs: FileSystem, path: str, parts: Iterable[bytes]) -> None:
    """Raise `OSError` unless the file holds exactly *parts*."""
    fd = fs.open(path)
    try:
        for part in parts:
            at = 0
            while at < len(part):
                data = fs.read(fd, len(part) - at)
                # bytes are compared in C, but a memoryview item by item
                if not data or not part.startswith(data, at):
                    raise OSError("the file does not read back as it was written")
                at += len(data)
        if fs.read(fd, 1):
            raise OSError("more reads back than was written")
    finally:
        fs.close(fd)


def _removed(fs: FileSystem, path: str) -> bool:
    try:
        fs.unlink(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _read_bytes(fs: FileSystem, name: str, limits: Limits) -> bytes:
    """Return the contents of a regular file within the limits."""
    fd = fs.open(name)
    try:
        size = fs.size(fd)
        if size < 0:
            raise SnapshotError(name, "not a regular file")
        if size > limits.max_bytes:
            reason = (
                f"{size} bytes; files of at most {limits.max_bytes} are read; if you trust it, pass limits="
                "Limits(max_bytes=...), of bookcore.persist.snapshot, to Calendar.restore"
            )
            raise SnapshotError(name, reason)
        data = read_all(fs, fd, size)
        if len(data) < size:
            raise SnapshotDamagedError(name, "the file was cut while it was being read")
    finally:
        fs.close(fd)
    return data


def parsed(name: str, data: bytes, secret: bytes = b"") -> tuple[Facts, list[Section]]:
    """Check all bytes of a file and return its facts and sections; *name* says where they are from.

    Raises: as `read_file`.
    """
    if data[: len(MAGIC)] != MAGIC:
        raise SnapshotDamagedError(name, "not a bookcore snapshot", offset=0)
    if len(data) < _HEADER.size + _TRAILER_SIZE:
        raise SnapshotDamagedError(name, f"cut short: {len(data)} bytes do not hold a snapshot", offset=len(data))
    _, version, codec, flags, count, store_id, sequence, rows, length, check = _HEADER.unpack_from(data)
    if not 1 <= version <= VERSION:
        if version > VERSION:
            raise SnapshotVersionError(name, version, VERSION, offset=8)
        raise SnapshotDamagedError(name, f"there is no format {version}", offset=8)
    if codec != _FLAT_PICKLES or flags not in (0, _KEYED):
        raise SnapshotDamagedError(name, f"codec {codec} with flags {flags} is unknown", offset=10)
    end = _HEADER.size + length
    if len(data) != end + _TRAILER_SIZE:
        what = "cut short" if len(data) < end + _TRAILER_SIZE else "too long"
        raise SnapshotDamagedError(name, f"{what}: {len(data)} bytes, {end + _TRAILER_SIZE} by its header", offset=48)
    if data[end + _DIGEST_SIZE :] != END_MAGIC:
        raise SnapshotDamagedError(name, "no end mark", offset=end + _DIGEST_SIZE)
    if secret and not flags:
        raise SnapshotKeyError(name, "a key was given, the file was written without one")
    if flags and not secret:
        raise SnapshotKeyError(name, "the file was written with a key, none was given")
    if not compare_digest(check, _key_check(secret, store_id)):
        raise SnapshotKeyError(name, "the key is not the one the file was written with", offset=56)
    if not compare_digest(data[end : end + _DIGEST_SIZE], _digest((memoryview(data)[:end],), secret)):
        raise SnapshotDamagedError(name, "damaged: its digest does not match its contents", offset=end)
    return Facts(store_id, sequence, rows, version), list(_sections(name, memoryview(data)[:end], count))


def _sections(name: str, data: memoryview, count: int) -> Iterator[Section]:
    at = _HEADER.size
    for _ in range(count):
        if len(data) - at < _LENGTH.size:
            raise SnapshotDamagedError(name, f"{count} sections by its header, the body ends before that", offset=at)
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if length > len(data) - at:
            raise SnapshotDamagedError(name, f"a section of {length} bytes, {len(data) - at} are left", offset=at)
        try:
            yield loads(data[at : at + length])
        except FlatError as exc:
            raise SnapshotDamagedError(name, exc.reason, offset=at + exc.offset) from exc
        at += length
    if at != len(data):
        raise SnapshotDamagedError(name, f"{len(data) - at} bytes after the last of {count} sections", offset=at)
