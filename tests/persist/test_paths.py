"""Whatever is given for a path, snapshot and restore answer with an error of ours, and leave nothing behind."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bookcore.calendar import Calendar
from bookcore.errors import BookcoreError, SnapshotError
from bookcore.model.errors import masked
from bookcore.model.resource import Resource
from bookcore.tables import read_csv


class Giver:
    """A path that gives whatever it was given, or raises it; and says of itself nothing at all."""

    def __init__(self, given: Any) -> None:
        self.given = given

    def __fspath__(self) -> Any:
        if isinstance(self.given, Exception):
            raise self.given
        return self.given

    def __str__(self) -> str:
        raise ZeroDivisionError

    def __repr__(self) -> str:
        raise ZeroDivisionError


class Odd(Giver):
    """Says of itself what is no text."""

    def __str__(self) -> str:
        return 5  # type: ignore[return-value]  # noqa: PLE0307 - that is the point

    __repr__ = __str__


class Text(str):
    """A text that will not be shown, encoded, or told from another."""

    __slots__ = ()
    __hash__ = str.__hash__

    def fail(self, *args: Any, **more: Any) -> Any:
        raise ZeroDivisionError

    __str__ = __repr__ = __format__ = __eq__ = __len__ = __contains__ = encode = startswith = fail


class Raw(bytes):
    """Bytes that will not be decoded."""

    __slots__ = ()

    def decode(self, *args: Any, **more: Any) -> Any:
        raise ZeroDivisionError


BAD = {
    "raises": lambda kind: kind(ZeroDivisionError()),
    "raises one that cannot be shown": lambda kind: kind(
        type("E", (Exception,), {"__str__": lambda self: 5})()
    ),
    "an int": lambda kind: kind(5),
    "None": lambda kind: kind(None),
    "another": lambda kind: kind(Giver(Giver("a"))),
    "NUL": lambda kind: kind("a\0b"),
    "empty": lambda kind: kind(""),
    "lone surrogate": lambda kind: kind("\ud83d"),
    "NUL in bytes": lambda kind: kind(b"a\0b"),
    "bytes not to be decoded": lambda kind: kind(Raw(b"a")),
}


@pytest.mark.parametrize("kind", [Giver, Odd, lambda given: given])
@pytest.mark.parametrize("bad", BAD)
def test_path_that_is_none_is_refused(bad: str, kind: Any) -> None:
    """However it fails."""
    path = BAD[bad](kind)
    for attempt in attempts(path):
        with pytest.raises(SnapshotError, match="not a path"):
            attempt()


def attempts(path: Any) -> list[Callable[[], object]]:
    """Return both calls."""
    return [lambda: Calendar().snapshot(path), lambda: Calendar.restore(path)]


@pytest.mark.parametrize("wrap", [Giver, os.fsencode, Text, Path, lambda text: Giver(os.fsencode(text))])
def test_path_of_any_kind_is_taken(tmp_path: Path, wrap: Callable[[str], Any]) -> None:
    """Text, bytes, and what gives one of them."""
    path = wrap(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xe9 .bks"))
    calendar = Calendar()
    calendar.add_resource(Resource("a"))
    calendar.snapshot(path)
    assert Calendar.restore(path).resources.ids() == ["a"]
    assert os.listdir(os.fsencode(tmp_path)) == [b"\xff\xe9 .bks"]


@pytest.mark.parametrize(
    "name", ["", ".", "..", "sub", "sub/", "no/file", "file/file", "x" * 300, "file/", "loop"]
)
def test_path_of_no_file_is_refused(tmp_path: Path, name: str) -> None:
    """A folder, a file for a folder, a name too long, a link to itself."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "file").write_bytes(b"mine")
    (tmp_path / "loop").symlink_to("loop")
    for attempt in attempts(f"{tmp_path}/{name}"):
        with pytest.raises(SnapshotError):
            attempt()
    assert sorted(os.listdir(tmp_path)) == ["file", "loop", "sub"]
    assert not os.listdir(tmp_path / "sub")
    assert (tmp_path / "file").read_bytes() == b"mine"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is forbidden to root")
def test_folder_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    """And the calendar is as it was."""
    tmp_path.chmod(0o500)
    try:
        for attempt in attempts(tmp_path / "a.bks"):
            with pytest.raises(SnapshotError):
                attempt()
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_what_is_no_regular_file_is_not_replaced(tmp_path: Path) -> None:
    """A device, a pipe or a socket at that path is there for something else: root would lose /dev/null."""
    os.mkfifo(tmp_path / "pipe")
    os.symlink("/dev/null", tmp_path / "link")
    with socket.socket(socket.AF_UNIX) as served:
        os.chdir(tmp_path)
        served.bind("socket")
        for name in ("pipe", "socket", "link"):
            with pytest.raises(SnapshotError, match="not a regular file"):
                Calendar().snapshot(tmp_path / name)
            with pytest.raises(SnapshotError):
                Calendar.restore(tmp_path / name)
    assert sorted(os.listdir(tmp_path)) == ["link", "pipe", "socket"]
    assert (tmp_path / "pipe").is_fifo()
    assert (tmp_path / "link").is_symlink()


def test_a_system_without_random_numbers_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of the temporary file needs some."""

    def fail(count: int) -> bytes:
        raise NotImplementedError

    monkeypatch.setattr(os, "urandom", fail)
    with pytest.raises(SnapshotError, match="random"):
        Calendar().snapshot(tmp_path / "a.bks")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("call", [
    Calendar.restore, lambda path: Calendar().snapshot(path), read_csv,
    lambda path: Calendar.open(path.replace("://", ":/")), lambda path: Calendar.open(path.replace("://", "//")),
    lambda path: Calendar.open("host=127.0.0.1 port=1 user=ada password=hunter2"),
    lambda path: Calendar.open(path.replace("postgresql", "mysql").replace("hunter2", "x/hunter2")),
])  # fmt: skip
def test_the_address_of_a_database_where_a_path_belongs_is_refused_without_its_password(
    call: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is made, and the call that was meant is named."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BookcoreError, match=r"Calendar\.open|postgresql://") as refused:
        call("postgresql://ada:hunter2@127.0.0.1:1/rooms")
    assert "hunter2" not in f"{refused.value} {vars(refused.value)}"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("secret", ["hunter2", "x/hunter2", "1/hunter2", "x?y=hunter2", "x@hunter2", "#hunter2"])
def test_a_password_is_masked_whatever_it_has(secret: str) -> None:
    """Also one that is not escaped; what has none is told as it is, a file and a port with a letter of addresses too."""
    assert masked(f"postgresql://ada:{secret}@host/rooms?calendar=berlin") == "postgresql://***@host/rooms?calendar=berlin"
    for path in ("postgresql://host:5432/rooms?calendar=a=@b", "sqlite:////home/ada@host/rooms.db", "C:/ada@host", "a:b@c"):
        assert masked(path) == path
