"""The file-system calls that snapshots and journals make, as methods of an object which a test can replace.

Every method is one system call, or the nearest one that the system has. A test can therefore make each of them fail. The
clock by which records are dated is here as well.
"""

from __future__ import annotations

import errno
import os
import platform
import re
import stat
import time
from contextlib import suppress

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]

_READ = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOCTTY", 0)
# opening a pipe must not wait for its other end; the pipe is refused after opening, as no regular file
_READ |= getattr(os, "O_NONBLOCK", 0)
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_APPEND = os.O_WRONLY | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)

_TEMPORARY = re.compile(r"\.bookcore-[0-9a-f]{16}\.tmp")


class FileSystem:
    """The files of the operating system. Methods raise its `OSError`; no call is repeated."""

    def absolute(self, path: str) -> str:
        """Return a path that stays right when the program changes its current folder."""
        return path if os.path.isabs(path) else os.path.join(os.getcwd(), path)  # "a/../b" may lead elsewhere than "b"

    def follow(self, path: str) -> str:
        """Return the path that a symbolic link leads to, whether or not there is a file; any other path as it is."""
        if not os.path.islink(path):
            return path
        target = os.path.realpath(path)
        if os.path.islink(target):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        return target

    def guard(self, path: str) -> int | None:
        """Lock a temporary file, so that `sweep` in another process leaves it alone; None where files have no such locks.

        The operating system drops the lock when the descriptor is closed or the process is killed.
        """
        if fcntl is None:
            return None
        fd = os.open(path, _READ)
        with suppress(OSError):  # not on every network
            fcntl.flock(fd, fcntl.LOCK_SH)
        return fd

    def release(self, fd: int) -> None:
        """Drop the lock that `guard` took."""
        with suppress(OSError):  # nothing was written through it
            os.close(fd)

    def sweep(self, folder: str, magic: bytes) -> None:
        """Remove the temporary files of processes that were killed: those that begin with *magic* and are not locked.

        An empty file may be one that another process has made and not locked yet. What cannot be removed stays.
        """
        with suppress(OSError):
            for name in os.listdir(folder) if fcntl is not None else ():
                if _TEMPORARY.fullmatch(name):
                    self._sweep_file(os.path.join(folder, name), magic)

    def _sweep_file(self, path: str, magic: bytes) -> None:
        with suppress(OSError):
            fd = os.open(path, _READ | getattr(os, "O_NOFOLLOW", 0))
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if stat.S_ISREG(os.fstat(fd).st_mode) and os.read(fd, len(magic)) == magic:
                    os.unlink(path)
            finally:
                os.close(fd)

    def token(self) -> str:
        """Return random text for the name of a temporary file."""
        try:
            return os.urandom(8).hex()
        except NotImplementedError as exc:
            raise OSError("the operating system has no source of random numbers") from exc

    def create(self, path: str) -> int:
        """Create a new file that only its owner may read, and return its descriptor."""
        return os.open(path, _CREATE, 0o600)

    def is_special(self, path: str) -> bool:
        """Tell whether *path* exists and is, after following links, something else than a regular file."""
        try:
            return not stat.S_ISREG(os.stat(path).st_mode)
        except OSError:  # there is no file, or it cannot be looked at
            return False

    def open(self, path: str) -> int:
        """Open a file for reading and return its descriptor. Does not wait for the other end of a pipe."""
        return os.open(path, _READ)

    def size(self, fd: int) -> int:
        """Return the size of an open regular file in bytes, or -1 if it is not a regular file."""
        facts = os.fstat(fd)
        return facts.st_size if stat.S_ISREG(facts.st_mode) else -1

    def read(self, fd: int, count: int) -> bytes:
        """Read at most *count* bytes; empty at the end of the file."""
        return os.read(fd, count)

    def write(self, fd: int, data: memoryview) -> int:
        """Write some of *data* and return how many bytes."""
        return os.write(fd, data)

    def sync(self, fd: int) -> None:
        """Wait until the file (or folder) is on the disk."""
        os.fsync(fd)

    def close(self, fd: int) -> None:
        """Close a descriptor."""
        os.close(fd)

    def replace(self, source: str, target: str) -> None:
        """Rename *source* to *target* in one atomic step, replacing what was there."""
        os.replace(source, target)

    def unlink(self, path: str) -> None:
        """Remove a file."""
        os.unlink(path)

    def names(self, folder: str) -> list[str]:
        """Return the names of all that is in a folder."""
        return os.listdir(folder)

    def is_folder(self, path: str) -> bool:
        """Tell whether there is a folder at *path*, after following links."""
        return os.path.isdir(path)

    def exists(self, path: str) -> bool:
        """Tell whether there is anything at *path*."""
        return os.path.lexists(path)

    def is_at(self, fd: int, path: str) -> bool:
        """Tell whether a path leads to a file that is open."""
        try:
            return os.path.samestat(os.fstat(fd), os.stat(path))
        except OSError:
            return False

    def make_folder(self, path: str) -> None:
        """Make a folder that only its owner may use."""
        os.mkdir(path, 0o700)

    def remove_folder(self, path: str) -> None:
        """Remove an empty folder."""
        os.rmdir(path)

    def append(self, path: str) -> int:
        """Open a file so that every write goes to its end, and return its descriptor."""
        return os.open(path, _APPEND)

    def truncate(self, fd: int, size: int) -> None:
        """Cut a file to *size* bytes."""
        os.ftruncate(fd, size)

    def sync_data(self, fd: int) -> None:
        """Wait until the bytes of a file, and its size, are on the disk."""
        getattr(os, "fdatasync", os.fsync)(fd)

    def lock(self, path: str) -> int:
        """Make or open a file, lock it for this process alone, and return its descriptor.

        The operating system drops the lock when the descriptor is closed or the process is killed.
        Raises: `BlockingIOError` while another holds it; `OSError` where files have no such locks.
        """
        if fcntl is None:
            raise OSError(errno.ENOTSUP, "this system has no locks that end with their process")
        fd = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            os.close(fd)
            raise
        return fd

    def lock_folder(self, path: str) -> int | None:
        """Lock a folder for this process alone, and return its descriptor; None where folders cannot be locked.

        This lock stays whatever happens to the files in the folder. Raises: `BlockingIOError` while another holds it.
        """
        fd = None if fcntl is None else self.open_folder(path)
        if fd is None:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException as exc:
            os.close(fd)
            if isinstance(exc, OSError) and not isinstance(exc, BlockingIOError):
                return None  # a network disk locks only what is open for writing
            raise
        return fd

    def unlock(self, fd: int) -> None:
        """Drop a lock that was taken by path, also where a forked process shares it, and close the descriptor."""
        try:
            if fcntl is not None:
                fcntl.flock(fd, fcntl.LOCK_UN)
        finally:
            os.close(fd)

    def now(self) -> int:
        """Return the time, in microseconds since the beginning of 1970 in UTC."""
        return max(0, time.time_ns() // 1000)

    def process(self) -> int:
        """Return the number of this process, which a fork changes."""
        return os.getpid()

    def host(self) -> str:
        """Return the name of this machine."""
        return platform.node()

    def open_folder(self, path: str) -> int | None:
        """Open a folder so that it can be synced; None on systems that do not sync folders."""
        if os.name == "nt":
            return None
        return os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0))


def write_all(fs: FileSystem, fd: int, data: bytes) -> None:
    """Write all of *data*, in as many calls as the system needs. Raises: OSError."""
    rest = memoryview(data)
    while rest:
        written = fs.write(fd, rest)
        if written <= 0:
            raise OSError("the file takes no more bytes")
        rest = rest[written:]


def read_all(fs: FileSystem, fd: int, size: int) -> bytes:
    """Return so many bytes of a file, or fewer if it ends before. Raises: OSError."""
    parts = []
    while size > 0 and (part := fs.read(fd, size)):
        parts.append(part)
        size -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def sync_folder(fs: FileSystem, folder: str) -> None:
    """Wait until the names in a folder are on the disk. Raises: OSError."""
    fd = fs.open_folder(folder)
    if fd is not None:
        try:
            fs.sync(fd)
        finally:
            fs.close(fd)


def sync_parent(fs: FileSystem, folder: str) -> None:
    """Wait until the name of a folder is on the disk. Raises: OSError."""
    named = os.path.dirname(os.path.join(folder, ""))  # without the slashes at its end
    sync_folder(fs, os.path.dirname(named) or os.curdir)


def words(exc: BaseException) -> str:
    """Return what an error of the operating system says."""
    return getattr(exc, "strerror", None) or str(exc) or type(exc).__name__
