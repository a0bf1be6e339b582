"""The few file-system calls that a snapshot makes, in one object that a test can replace.

Every method is one system call (or its nearest relative on systems without it), so that a fault can be put at
each of them.
"""

from __future__ import annotations

import os
import stat

__all__ = ["FileSystem"]

_READ = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOCTTY", 0)
# a pipe must not block us at opening: it is refused a moment later, as not a regular file
_READ |= getattr(os, "O_NONBLOCK", 0)
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class FileSystem:
    """The operating system's files. Errors are its `OSError`; nothing is retried."""

    def token(self) -> str:
        """Return a fresh random name part, for a temporary file."""
        return os.urandom(8).hex()

    def create(self, path: str) -> int:
        """Create a new file, readable by its owner alone, and return its descriptor."""
        return os.open(path, _CREATE, 0o600)

    def is_special(self, path: str) -> bool:
        """Tell whether something stands at *path*, or where it links to, that is no regular file."""
        try:
            return not stat.S_ISREG(os.stat(path).st_mode)
        except OSError:  # nothing there, or nothing that could be told
            return False

    def open(self, path: str) -> int:
        """Open a file for reading and return its descriptor; never waits for a pipe's other end."""
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
        """Return once the file (or folder) is on disk."""
        os.fsync(fd)

    def close(self, fd: int) -> None:
        """Close a descriptor."""
        os.close(fd)

    def replace(self, source: str, target: str) -> None:
        """Put *source* in the place of *target*, in one step."""
        os.replace(source, target)

    def unlink(self, path: str) -> None:
        """Remove a file."""
        os.unlink(path)

    def open_folder(self, path: str) -> int | None:
        """Open a folder so that it can be synced; None where the system knows no such thing."""
        if os.name == "nt":
            return None
        return os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0))
