"""`SimulatedFiles`: a file system in memory that can lose power, fail at any call, and be damaged.

    write, append, truncate   ->  what the program reads     ->  sync       ->  what the disk keeps
    create, replace, unlink   ->  the names that it sees     ->  sync of the folder  ->  the names that the disk keeps

`power_cut` returns a file system as it may be after a power cut: of what was not synced, any part is lost, in any order. A
file may have grown without its bytes, a write may be kept in part, and of the names that were made, replaced and removed
since the folder was synced any subset is kept. `killed` returns one as it is after only the process was killed.

Calls are counted. With ``stop_at`` the call of that number raises `PowerCut`; with ``fail_at`` it raises an `OSError`,
or, if it is a write, takes only a part of the bytes first. After a sync that failed, later ones of this file succeed and do
nothing, as systems do which have dropped what could not be written. ``watch`` is called before each call, and in the midst
of a write: a power cut there would find what it finds.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from functools import lru_cache
from random import Random
from typing import TypeAlias

from bookcore.persist.fs import FileSystem

_Write: TypeAlias = tuple[int, bytes] | int
"""An offset and the bytes written there, or the size to which the file was cut."""

_basename, _join = lru_cache(1000)(os.path.basename), lru_cache(1000)(os.path.join)
"""There are a few paths, and tens of thousands of images in which each of them is taken apart and put together."""

_Naming: TypeAlias = tuple["str | None", str, "_File | None"]
"""A name that is gone, or None; the name that the file has now, or None."""


class PowerCut(BaseException):
    """The power is cut: nothing after this call happens."""


class _File:
    """The bytes of a file on the disk, as the program reads them, and what was done between the two."""

    def __init__(self, data: bytes = b"") -> None:
        self.kept = data
        self.seen = bytearray(data)
        self.writes: list[_Write] = []
        self.is_lost = False  # a sync has failed

    def write(self, at: int, data: bytes) -> None:
        _put(self.seen, at, data)
        self.writes.append((at, data))

    def take_back(self, size: int) -> None:
        """Undo the last write, which made the file longer than this."""
        del self.seen[size:]
        self.writes.pop()

    def truncate(self, size: int) -> None:
        del self.seen[size:]
        self.writes.append(size)

    def sync(self) -> None:
        if not self.is_lost:
            self.kept = bytes(self.seen)
            self.writes.clear()

    def after_power_cut(self, rng: Random) -> bytes:
        """Return what may be on the disk. Now and then all of it is, or nothing that was not synced."""
        if not self.writes:
            return self.kept
        found = bytearray(self.kept)
        fate = rng.random()
        for write in self.writes:
            if fate < 0.15 or (fate < 0.85 and rng.random() < 0.4):
                if not isinstance(write, int) and rng.random() < 0.3:  # the file has grown, without these bytes
                    _put(found, len(found), bytes(max(0, write[0] + len(write[1]) - len(found))))
                continue
            if isinstance(write, int):
                del found[write:]
                continue
            at, data = write
            if fate < 0.85 and rng.random() < 0.4:  # torn: a part of it, at its beginning or anywhere
                begin = rng.choice((0, rng.randrange(len(data) + 1)))
                end = rng.randrange(begin, len(data) + 1)
                at, data = at + begin, data[begin:end]
            _put(found, at, data)
        return bytes(found)


def _put(target: bytearray, at: int, data: bytes) -> None:
    if at > len(target):
        target.extend(bytes(at - len(target)))
    target[at : at + len(data)] = data


class SimulatedFiles(FileSystem):
    """See the module. It has one folder, which is there and is named *folder*; *files* are those in it."""

    def __init__(self, folder: str = "store", files: dict[str, bytes] | None = None) -> None:
        self.folder = folder
        self.kept = {_join(folder, name): _File(data) for name, data in (files or {}).items()}
        self.seen = dict(self.kept)
        self.namings: list[_Naming] = []
        self.calls = self.syncs = self._tokens = 0
        self.stop_at: int | None = None
        self.fail_at: int | None = None
        self.failure = errno.EIO
        self.watch: Callable[[], object] | None = None
        self.pid = 1
        self.clock = 0
        self._open: dict[int, tuple[str | _File, int]] = {}
        self._locked: dict[int, str | _File] = {}
        self._last = 100

    # -- what a test does --------------------------------------------------------------------------

    def contents(self) -> dict[str, bytes]:
        """Return the bytes of each file by name."""
        return {_basename(path): bytes(file.seen) for path, file in sorted(self.seen.items())}

    @property
    def is_settled(self) -> bool:
        """Tell whether all is synced, so that a power cut leaves everything as it is."""
        return not self.namings and not any(file.writes for file in self.seen.values())

    def power_cut(self, seed: object) -> SimulatedFiles:
        """Return a file system as it may be after a power cut; the same one for the same *seed*, a text or a number.

        If it is a `Random`, that is drawn from: much faster, where many are wanted.
        """
        rng = seed if isinstance(seed, Random) else Random(repr(seed))  # noqa: S311 - it guards no secret
        names, fate = dict(self.kept), rng.random()
        for old, new, file in self.namings:
            if fate < 0.15 or (fate < 0.8 and rng.random() < 0.4):
                continue
            if old is not None:
                names.pop(old, None)
            if file is None:
                names.pop(new, None)
            else:
                names[new] = file
        data = {id(file): file.after_power_cut(rng) for file in names.values()}
        return SimulatedFiles(self.folder, {_basename(path): data[id(file)] for path, file in names.items()})

    def killed(self) -> SimulatedFiles:
        """Return the file system as it is after the process was killed: what was written is there."""
        return SimulatedFiles(self.folder, self.contents())

    # -- the calls ---------------------------------------------------------------------------------

    def _call(self, path: str = "") -> None:
        self.calls += 1
        if self.watch is not None:
            self.watch()
        if self.stop_at is not None and self.calls >= self.stop_at:
            raise PowerCut(f"at call {self.calls}")
        if self.calls == self.fail_at:
            raise OSError(self.failure, os.strerror(self.failure), path or None)

    def _file(self, path: str) -> _File:
        if path not in self.seen:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return self.seen[path]

    def _opened(self, what: str | _File) -> int:
        self._last += 1
        self._open[self._last] = what, 0
        return self._last

    def _of(self, fd: int) -> _File:
        file, _ = self._open[fd]
        assert isinstance(file, _File)
        return file

    def absolute(self, path: str) -> str:
        """Return *path*: there is no current folder."""
        return path

    def follow(self, path: str) -> str:
        """Return *path*: there are no links."""
        return path

    def guard(self, path: str) -> int | None:
        """Lock nothing: there is one process."""
        return None

    def sweep(self, folder: str, magic: bytes) -> None:
        """Remove what a killed process left."""
        for path in [path for path in self.seen if _basename(path).startswith(".bookcore-")]:
            self._name(None, path, None)

    def token(self) -> str:
        """Return the next of a row of texts."""
        self._tokens += 1
        return f"{self._tokens:016x}"

    def create(self, path: str) -> int:
        """As `FileSystem.create`."""
        self._call(path)
        if path in self.seen:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
        file = _File()
        self._name(None, path, file)
        return self._opened(file)

    def _name(self, old: str | None, new: str, file: _File | None) -> None:
        self.namings.append((old, new, file))
        if old is not None:
            del self.seen[old]
        if file is None:
            del self.seen[new]
        else:
            self.seen[new] = file

    def is_special(self, path: str) -> bool:
        """There are files and one folder."""
        return path == self.folder

    def is_folder(self, path: str) -> bool:
        """There is one."""
        self._call(path)
        return path == self.folder

    def exists(self, path: str) -> bool:
        """As `FileSystem.exists`."""
        return path == self.folder or path in self.seen

    def is_at(self, fd: int, path: str) -> bool:
        """As `FileSystem.is_at`."""
        return path in self.seen and self._open[fd][0] is self.seen[path]

    def names(self, folder: str) -> list[str]:
        """As `FileSystem.names`."""
        self._call(folder)
        return [_basename(path) for path in self.seen]

    def make_folder(self, path: str) -> None:
        """Refuse: there is one folder."""
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    def open(self, path: str) -> int:
        """As `FileSystem.open`."""
        self._call(path)
        return self._opened(self._file(path))

    def append(self, path: str) -> int:
        """As `FileSystem.append`."""
        self._call(path)
        fd = self._opened(self._file(path))
        self._open[fd] = self._file(path), -1
        return fd

    def size(self, fd: int) -> int:
        """As `FileSystem.size`."""
        self._call()
        return len(self._of(fd).seen)

    def read(self, fd: int, count: int) -> bytes:
        """As `FileSystem.read`."""
        self._call()
        file, at = self._of(fd), self._open[fd][1]
        found = bytes(file.seen[at : at + count])
        self._open[fd] = file, at + len(found)
        return found

    def write(self, fd: int, data: memoryview) -> int:
        """As `FileSystem.write`. The call that stops or fails has written a part."""
        file, at = self._of(fd), self._open[fd][1]
        place = len(file.seen) if at < 0 else at
        if self.watch is not None:
            file.write(place, bytes(data[: len(data) // 2]))
        try:
            self._call()
            if self.watch is not None:
                file.take_back(place)
        except BaseException:
            if (self.calls == self.fail_at and self.failure == errno.ENOSPC) or self.calls == self.stop_at:
                file.write(place, bytes(data[: len(data) // 2]))
            raise
        file.write(place, bytes(data))
        if at >= 0:
            self._open[fd] = file, at + len(data)
        return len(data)

    def truncate(self, fd: int, size: int) -> None:
        """As `FileSystem.truncate`."""
        self._call()
        self._of(fd).truncate(size)

    def sync(self, fd: int) -> None:
        """As `FileSystem.sync`, of a file or of the folder."""
        what, _ = self._open[fd]
        try:
            self._call()
        except OSError:
            if isinstance(what, _File):
                what.is_lost = True
            raise
        self.syncs += 1
        if isinstance(what, _File):
            what.sync()
        else:
            self.kept = dict(self.seen)
            self.namings.clear()

    def sync_data(self, fd: int) -> None:
        """As `FileSystem.sync_data`."""
        self.sync(fd)

    def close(self, fd: int) -> None:
        """As `FileSystem.close`."""
        self._locked.pop(fd, None)  # first, as `FileSystem.unlock` does, which may be cut off
        if self._open.pop(fd, None) is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    def replace(self, source: str, target: str) -> None:
        """As `FileSystem.replace`."""
        self._call(source)
        self._name(source, target, self._file(source))

    def unlink(self, path: str) -> None:
        """As `FileSystem.unlink`."""
        self._call(path)
        self._file(path)
        self._name(None, path, None)

    def open_folder(self, path: str) -> int | None:
        """As `FileSystem.open_folder`."""
        self._call(path)
        return self._opened(path)

    def lock(self, path: str) -> int:
        """As `FileSystem.lock`."""
        self._call(path)
        if path not in self.seen:
            self._name(None, path, _File())
        return self._lock(path, self.seen[path])

    def lock_folder(self, path: str) -> int | None:
        """As `FileSystem.lock_folder`."""
        self._call(path)
        return self._lock(path, path)

    def _lock(self, path: str, what: str | _File) -> int:
        if any(what is each or what == each for each in self._locked.values()):
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), path)
        fd = self._opened(what)
        self._locked[fd] = what
        return fd

    def unlock(self, fd: int) -> None:
        """As `FileSystem.unlock`."""
        self.close(fd)

    def now(self) -> int:
        """Return ``clock``, which goes on by a second with each call."""
        self.clock += 1_000_000
        return self.clock

    def process(self) -> int:
        """Return ``pid``, which a test may change."""
        return self.pid

    def host(self) -> str:
        """Return a name."""
        return "simulated"
