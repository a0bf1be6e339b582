"""Fixtures for the tests of snapshots: a registry for each test, and files with a right digest and any contents."""

from __future__ import annotations

import gc
import struct
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from bookcore.persist import registry
from bookcore.persist.codec.columns import KeyColumn
from bookcore.persist.fs import FileSystem
from bookcore.persist.snapshot.state import Bookings, Closures, Expired, Holds, Resources, Rules, State, Tags

Forge = Callable[..., Path]

HEADER = struct.Struct("<8sHBBI16sQQQ8s")
MAGIC, END_MAGIC = b"\x89BKSN\r\n\x1a", b"\x1aNSKB\r\n\x89"


def seal(head_and_body: bytes, key: bytes = b"") -> bytes:
    """Return a whole file: what is given, the digest of it, and the end mark."""
    return (
        head_and_body
        + blake2b(head_and_body, digest_size=32, key=key, person=b"bookcore.snap").digest()
        + END_MAGIC
    )


@pytest.fixture(params=["rooms", "sqlite:///rooms.db"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a new place for a calendar, in an empty current directory."""
    monkeypatch.chdir(tmp_path)
    return str(request.param)


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a registry of its own."""
    monkeypatch.setattr(registry, "_by_class", {})
    monkeypatch.setattr(registry, "_by_name", {})


@pytest.fixture
def forge(tmp_path: Path) -> Forge:
    """Return a function that writes a file around section pickles, written here without the code under test."""

    def make(
        pickles: Iterable[bytes],
        *,
        magic: bytes = MAGIC,
        version: int = 1,
        codec: int = 0,
        flags: int = 0,
        count: int | None = None,
        rows: int = 0,
        sequence: int = 0,
        length: int | None = None,
        tail: bytes = b"",
    ) -> Path:
        sections = list(pickles)
        body = b"".join(struct.pack("<Q", len(section)) + section for section in sections) + tail
        head = HEADER.pack(
            magic, version, codec, flags, len(sections) if count is None else count, bytes(16), sequence, rows,
            len(body) if length is None else length, bytes(8),
        )  # fmt: skip
        path = tmp_path / "forged.bks"
        path.write_bytes(seal(head + body))
        return path

    return make


@pytest.fixture
def reseal() -> Callable[[bytes], bytes]:
    """Return a function that puts the right digest and end mark on a file whose header or body was changed."""
    return lambda data: seal(data[:-40])


@contextmanager
def _limited() -> Iterator[None]:
    tracemalloc.start()
    gc.disable()
    began = time.thread_time()
    try:
        yield
    finally:
        took = time.thread_time() - began
        gc.enable()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 64 << 20
    assert took < 0.05


@pytest.fixture
def within_limits() -> AbstractContextManager[None]:
    """Return a block that fails if it takes more than 50 ms of processor time or 64 MB of memory.

    Neither other threads count nor the garbage collector, which walks the objects of all tests before.
    """
    return _limited()


class InMemory(FileSystem):
    """One file, read from memory whatever its name: for tests that read thousands of them."""

    def __init__(self, data: bytes | bytearray) -> None:
        self._data = memoryview(bytes(data))

    def open(self, path: str) -> int:
        self._at = 0
        return 0

    def size(self, fd: int) -> int:
        return len(self._data)

    def read(self, fd: int, count: int) -> bytes:
        found = bytes(self._data[self._at : self._at + count])
        self._at += len(found)
        return found

    def close(self, fd: int) -> None:
        pass


@pytest.fixture
def in_memory() -> Callable[[bytes | bytearray], FileSystem]:
    """Return a function that makes a file system of one file out of its bytes."""
    return InMemory


@pytest.fixture
def sound() -> Callable[..., State]:
    """Return a function that makes a state with a row in every section, but for the sections and columns named."""

    def make(**changes: Any) -> State:
        state = State(
            bounds="[)",
            classes=["Flat", ":BookingEvent"],
            event_type=1,
            last_sequence=12,
            last_closure=7,
            resources=Resources(
                ["a", 5, (1, 2)], [0, 0, 0], [1, 20, 1], [None, 1, None], [None, 2, None], [None, {"x": 1}, {}]
            ),
            tags=Tags(["sea", 3], [[0, 2], [1]]),
            rules=Rules([{"zone": "x"}], [[2]]),
            bookings=Bookings(
                [1, "two"], [1, 1], [0, 1], KeyColumn([3, None, 5, 9]), [1, 7], [None, {"guest": "Ada"}]
            ),
            holds=Holds([1], [99]),
            expired=Expired([4, "old"], [5, 6]),
            closures=Closures([7], [0], KeyColumn([1, None]), ["paint"], [[0]]),
        )
        for name, value in changes.items():
            section, _, column = name.partition("__")
            setattr(getattr(state, section) if column else state, column or section, value)
        return state

    return make
