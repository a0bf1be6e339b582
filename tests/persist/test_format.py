"""The file: every damage is detected, and after every fault a complete file is in place."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bookcore.errors import SnapshotError
from bookcore.persist.errors import SnapshotDamagedError, SnapshotKeyError, SnapshotVersionError
from bookcore.persist.fs import FileSystem
from bookcore.persist.snapshot.format import Facts, Limits, read_file, write_file

MOST = settings().max_examples  # as the profile says, see tests/conftest.py

Forge = Callable[..., Path]
InMemory = Callable[[bytes | bytearray], FileSystem]

FACTS = Facts(b"sixteen bytes id", 41, 3)
SECTIONS = [(b"alpha", b"beta"), (b"gamma" * 60,), (b"delta", b"epsilon", b"zeta", b"eta")]


class Faulty(FileSystem):
    """A file system that counts its calls and fails at one of them."""

    def __init__(self, fail_at: int = -1, how: str = "EIO") -> None:
        self.calls: list[str] = []
        self.fail_at, self.how = fail_at, how
        self.open_now = 0

    def _call(self, name: str) -> bool:
        """Record a call; raise, or return True, if it is the call that shall fail."""
        self.calls.append(name)
        if len(self.calls) - 1 != self.fail_at:
            return False
        if self.how == "interrupt":
            raise KeyboardInterrupt
        if self.how not in ("short", "nothing", "garbage"):
            number = getattr(errno, self.how)
            raise OSError(number, os.strerror(number))
        return True

    def create(self, path: str) -> int:
        self._call("create")
        fd = super().create(path)
        self.open_now += 1
        return fd

    def open(self, path: str) -> int:
        self._call("open")
        fd = super().open(path)
        self.open_now += 1
        return fd

    def size(self, fd: int) -> int:
        self._call("size")
        return super().size(fd)

    def read(self, fd: int, count: int) -> bytes:
        if self._call("read"):
            if self.how == "nothing":
                return b""
            data = super().read(fd, max(1, count // 2) if self.how == "short" else count)
            return data if self.how == "short" else bytes(len(data))
        return super().read(fd, count)

    def write(self, fd: int, data: memoryview) -> int:
        if self._call("write"):
            if self.how == "nothing":
                return 0
            if self.how == "garbage":
                return super().write(fd, memoryview(bytes(len(data))))
            return super().write(fd, data[: max(1, len(data) // 2)])
        return super().write(fd, data)

    def sync(self, fd: int) -> None:
        self._call("sync")
        super().sync(fd)

    def close(self, fd: int) -> None:
        self.open_now -= 1
        super().close(fd)
        self._call("close")

    def replace(self, source: str, target: str) -> None:
        self._call("replace")
        super().replace(source, target)

    def unlink(self, path: str) -> None:
        self._call("unlink")
        super().unlink(path)

    def open_folder(self, path: str) -> int | None:
        self._call("open_folder")
        fd = super().open_folder(path)
        self.open_now += fd is not None
        return fd


def calls_of_a_write(folder: Path) -> list[str]:
    """Return the file-system calls that one undisturbed write makes."""
    counting = Faulty()
    write_file(folder / "counted.bks", FACTS, SECTIONS, fs=counting)
    (folder / "counted.bks").unlink()
    return counting.calls


# -- what is written comes back --------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, b"k", b"x" * 64])
def test_written_file_comes_back(tmp_path: Path, key: bytes | None) -> None:
    """Facts and sections are what they were, with a key and without."""
    size = write_file(tmp_path / "a.bks", FACTS, SECTIONS, key)
    assert read_file(tmp_path / "a.bks", key) == (FACTS, SECTIONS)
    assert (tmp_path / "a.bks").stat().st_size == size


@given(
    st.lists(st.lists(st.binary(min_size=2, max_size=50), min_size=1, max_size=5), max_size=5),
    st.binary(min_size=16, max_size=16),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
)
@settings(max_examples=MOST // 2)
def test_any_facts_and_sections_come_back(
    tmp_path_factory: pytest.TempPathFactory, sections: list[list[bytes]], store: bytes, last: int, rows: int
) -> None:
    """Whatever the header and the columns hold."""
    path = tmp_path_factory.mktemp("any") / "a.bks"
    own = [tuple(bytes(bytearray(column)) for column in section) for section in sections]
    facts = Facts(store, last, rows)
    write_file(path, facts, own)
    assert read_file(path) == (facts, own)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    """The file has mode 0600, also when it replaces a file that everybody could read."""
    path = tmp_path / "a.bks"
    path.write_bytes(b"old")
    path.chmod(0o666)
    write_file(path, FACTS, SECTIONS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_write_leaves_one_file(tmp_path: Path) -> None:
    """The temporary file is removed, and the new file has replaced the old one."""
    path = tmp_path / "a.bks"
    write_file(path, FACTS, SECTIONS)
    write_file(path, Facts(rows=1), SECTIONS[:1])
    assert os.listdir(tmp_path) == ["a.bks"]
    assert read_file(path) == (Facts(rows=1), SECTIONS[:1])


def test_file_is_synced_and_read_back_before_it_is_in_place(tmp_path: Path) -> None:
    """The data is synced, read back, renamed, and the folder synced, in this order."""
    calls = calls_of_a_write(tmp_path)
    assert calls[0] == "create"
    last = ["sync", "close", "open", "read", "close", "replace", "open_folder", "sync", "close"]
    kept = [
        call for i, call in enumerate(calls) if call != "write" and (call != "read" or calls[i - 1] != "read")
    ]
    assert kept == ["create", *last]


def test_relative_path_is_written_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a path without a folder, the current folder is synced."""
    monkeypatch.chdir(tmp_path)
    write_file("a.bks", FACTS, SECTIONS)
    assert read_file("a.bks") == (FACTS, SECTIONS)


# -- every damage is noticed -----------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, b"secret"])
def test_every_single_bit_flip_is_noticed(tmp_path: Path, in_memory: InMemory, key: bytes | None) -> None:
    """Exhaustively: no bit of header, body or trailer can change without a SnapshotError."""
    path = tmp_path / "a.bks"
    write_file(path, FACTS, SECTIONS, key)
    whole = path.read_bytes()
    damaged = bytearray(whole)
    for bit in range(8 * len(whole)):
        damaged[bit >> 3] ^= 1 << (bit & 7)
        with pytest.raises(SnapshotError):
            read_file(path, key, fs=in_memory(damaged))
        damaged[bit >> 3] ^= 1 << (bit & 7)
    assert read_file(path, key, fs=in_memory(damaged)) == (FACTS, SECTIONS)


def test_every_cut_is_noticed(tmp_path: Path, in_memory: InMemory) -> None:
    """Exhaustively: no length but the right one opens, be it shorter or longer."""
    path = tmp_path / "a.bks"
    write_file(path, FACTS, SECTIONS)
    whole = path.read_bytes()
    for length in range(len(whole)):
        with pytest.raises(SnapshotDamagedError):
            read_file(path, fs=in_memory(whole[:length]))
    for more in (b"\0", whole[-8:], whole):
        path.write_bytes(whole + more)
        with pytest.raises(SnapshotDamagedError):
            read_file(path)


@pytest.mark.parametrize("block", [8, 64, 512])
def test_every_zeroed_block_is_noticed(tmp_path: Path, block: int) -> None:
    """A block of zeros, as a disk leaves it, does not open."""
    path = tmp_path / "a.bks"
    write_file(path, FACTS, SECTIONS)
    whole = path.read_bytes()
    for start in range(0, len(whole), block):
        damaged = whole[:start] + bytes(len(whole[start : start + block])) + whole[start + block :]
        if damaged != whole:
            path.write_bytes(damaged)
            with pytest.raises(SnapshotError):
                read_file(path)


def test_swapped_sections_are_noticed(tmp_path: Path) -> None:
    """The digest depends on the order of the sections."""
    path = tmp_path / "a.bks"
    write_file(path, FACTS, [(b"first",), (b"other",)])
    data = path.read_bytes()
    path.write_bytes(data.replace(b"first", b"FIRST").replace(b"other", b"first").replace(b"FIRST", b"other"))
    with pytest.raises(SnapshotDamagedError):
        read_file(path)


# -- the header is believed only as far as it fits -------------------------------------------------


def test_newer_format_is_said_to_be_newer(forge: Forge) -> None:
    """The error has both numbers, so that a program can say which version to install."""
    with pytest.raises(SnapshotVersionError, match="newer") as caught:
        read_file(forge([b""], version=3))
    assert (caught.value.found, caught.value.known) == (3, 2)


@pytest.mark.parametrize(
    "header",
    [
        {"version": 0},
        {"codec": 1},
        {"codec": 255},
        {"flags": 2},
        {"flags": 3},
        {"magic": b"\x89PNG\r\n\x1a\n"},
        {"count": 2},
        {"count": 0},
        {"count": 2**32 - 1},
        {"length": 0},
        {"length": 2**64 - 1},
        {"tail": b"more"},
        {"tail": b"\xff" * 8},
        {"tail": b"\0" * 8, "count": 2},
    ],
    ids=str,
)
def test_header_that_does_not_fit_is_refused(forge: Forge, header: dict[str, int]) -> None:
    """Counts and lengths must agree with the contents, also in a file with a right digest."""
    with pytest.raises(SnapshotDamagedError):
        read_file(forge([b"\x80\x05C\x02ab\x85."], **header))


def test_forged_file_like_ours_opens(forge: Forge) -> None:
    """The file of which the other tests change one thing can be read."""
    assert read_file(forge([b"\x80\x05C\x02ab\x85."], rows=7, sequence=9)) == (
        Facts(bytes(16), 9, 7),
        [(b"ab",)],
    )


def test_file_above_the_limit_is_not_read(tmp_path: Path) -> None:
    """The size cap comes before the first byte is read."""
    path = tmp_path / "a.bks"
    size = write_file(path, FACTS, SECTIONS)
    assert read_file(path, limits=Limits(size)) == (FACTS, SECTIONS)
    counting = Faulty()
    with pytest.raises(SnapshotError, match=f"{size} bytes"):
        read_file(path, limits=Limits(size - 1), fs=counting)
    assert "read" not in counting.calls


# -- keys ------------------------------------------------------------------------------------------


def test_wrong_key_is_refused_as_such(tmp_path: Path) -> None:
    """Another key, a missing key, or a key for a file without one raises SnapshotKeyError, and not an error of damage."""
    path = tmp_path / "a.bks"
    write_file(path, FACTS, SECTIONS, b"right")
    for key in (b"wrong", None, b"right\0"):
        with pytest.raises(SnapshotKeyError):
            read_file(path, key)
    write_file(path, FACTS, SECTIONS)
    with pytest.raises(SnapshotKeyError, match="without"):
        read_file(path, b"right")


def test_resealed_file_without_the_key_is_refused(
    tmp_path: Path, reseal: Callable[[bytes], bytes], forge: Forge
) -> None:
    """Without the key nobody can make a file: neither by changing one and its digest, nor by removing the key flag."""
    path = tmp_path / "a.bks"
    write_file(path, FACTS, SECTIONS, b"right")
    data = path.read_bytes()
    path.write_bytes(reseal(data.replace(b"alpha", b"ALPHA")))
    with pytest.raises(SnapshotDamagedError):
        read_file(path, b"right")
    path.write_bytes(reseal(data[:11] + b"\0" + data[12:]))
    with pytest.raises(SnapshotKeyError):
        read_file(path, b"right")


@pytest.mark.parametrize("key", [b"", b"x" * 65, "text", 5, bytearray(b"k"), object()])
def test_key_that_is_none_is_refused_before_anything_is_written(tmp_path: Path, key: bytes) -> None:
    """A key is 1 to 64 bytes; both calls refuse anything else."""
    with pytest.raises(SnapshotKeyError):
        write_file(tmp_path / "a.bks", FACTS, SECTIONS, key)
    assert not os.listdir(tmp_path)
    with pytest.raises(SnapshotKeyError):
        read_file(tmp_path / "a.bks", key)


# -- paths -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [None, 3, 2.5, object(), "", "a\0b", b"a\0b", [], "\ud800/\ud800"])
def test_path_that_is_none_is_refused(path: str) -> None:
    """Whatever is given as a path, only a SnapshotError is raised, and it can be printed."""
    with pytest.raises(SnapshotError) as caught:
        write_file(path, FACTS, SECTIONS)
    assert str(caught.value)
    with pytest.raises(SnapshotError):
        read_file(path)


def test_missing_file_is_explained(tmp_path: Path) -> None:
    """A FileNotFoundError becomes a SnapshotError with the path and a hint."""
    with pytest.raises(SnapshotError, match=r"no such file.*snapshot") as caught:
        read_file(tmp_path / "nowhere.bks")
    assert caught.value.path == str(tmp_path / "nowhere.bks")
    assert isinstance(caught.value.__cause__, FileNotFoundError)


def test_file_without_permission_is_explained(tmp_path: Path) -> None:
    """A PermissionError becomes a SnapshotError that says so."""
    path = tmp_path / "a.bks"
    write_file(path, FACTS, SECTIONS)
    with pytest.raises(SnapshotError, match="may not be read"):
        read_file(path, fs=Faulty(0, "EACCES"))


def test_folder_is_explained(tmp_path: Path) -> None:
    """A folder can neither be read nor be replaced."""
    with pytest.raises(SnapshotError, match=r"folder|regular|read"):
        read_file(tmp_path)
    (tmp_path / "inside").mkdir()
    with pytest.raises(SnapshotError):
        write_file(tmp_path / "inside", FACTS, SECTIONS)
    assert os.listdir(tmp_path) == ["inside"]


def test_missing_folder_is_explained(tmp_path: Path) -> None:
    """Missing folders are not created."""
    with pytest.raises(SnapshotError, match="no file can be made"):
        write_file(tmp_path / "no" / "a.bks", FACTS, SECTIONS)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    """Reading a pipe without a writer does not wait, and a device without an end is not read."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SnapshotError, match="regular"):
        read_file(tmp_path / "pipe")
    if os.path.exists("/dev/zero"):
        with pytest.raises(SnapshotError, match="regular"):
            read_file("/dev/zero")


# -- a fault at every call -------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["EIO", "ENOSPC", "EINTR", "EDQUOT", "interrupt"])
def test_fault_at_any_call_of_a_write_leaves_the_old_file(tmp_path: Path, how: str) -> None:
    """For every call: the old file is unchanged, the temporary one removed, and no descriptor is left open."""
    path = tmp_path / "a.bks"
    calls = calls_of_a_write(tmp_path)
    for at, name in enumerate(calls):
        write_file(path, Facts(rows=99), SECTIONS[:1])
        broken = Faulty(at, how)
        with pytest.raises(KeyboardInterrupt if how == "interrupt" else SnapshotError):
            write_file(path, FACTS, SECTIONS, fs=broken)
        assert broken.calls[at] == name
        assert os.listdir(tmp_path) == ["a.bks"], (at, name)
        assert broken.open_now == 0, (at, name)
        in_place = "replace" in broken.calls[:at]
        assert read_file(path) == ((FACTS, SECTIONS) if in_place else (Facts(rows=99), SECTIONS[:1])), (
            at,
            name,
        )


@pytest.mark.parametrize("call", ["write", "read"])
@pytest.mark.parametrize("how", ["short", "nothing", "garbage"])
def test_call_that_does_less_than_asked_is_made_up_for_or_noticed(
    tmp_path: Path, call: str, how: str
) -> None:
    """Short writes and reads are continued; if nothing or something else is written, the old file stays in place."""
    path = tmp_path / "a.bks"
    places = [at for at, name in enumerate(calls_of_a_write(tmp_path)) if name == call]
    assert places
    for at in places:
        write_file(path, Facts(rows=99), SECTIONS[:1])
        if how == "short":
            write_file(path, FACTS, SECTIONS, fs=Faulty(at, how))
            assert read_file(path) == (FACTS, SECTIONS)
            continue
        try:
            write_file(path, FACTS, SECTIONS, fs=Faulty(at, how))
        except SnapshotError:
            assert read_file(path) == (Facts(rows=99), SECTIONS[:1])
        else:  # nothing was read where nothing is left to read
            assert call == "read"
            assert read_file(path) == (FACTS, SECTIONS)
        assert os.listdir(tmp_path) == ["a.bks"]


def test_file_longer_than_what_was_written_is_noticed(tmp_path: Path) -> None:
    """If the new file has more bytes than were written, the old file stays in place."""

    class Chatty(FileSystem):
        def sync(self, fd: int) -> None:
            os.write(fd, b"more") if stat.S_ISREG(os.fstat(fd).st_mode) else None
            super().sync(fd)

    with pytest.raises(SnapshotError, match="more reads back"):
        write_file(tmp_path / "a.bks", FACTS, SECTIONS, fs=Chatty())
    assert not os.listdir(tmp_path)


def test_failure_to_tidy_up_is_told(tmp_path: Path) -> None:
    """If the temporary file cannot be removed either, the error has its path."""

    class Twice(Faulty):
        def unlink(self, path: str) -> None:
            raise OSError(errno.EIO, "broken")

    with pytest.raises(SnapshotError, match=r"\.tmp could not be removed"):
        write_file(tmp_path / "a.bks", FACTS, SECTIONS, fs=Twice(2, "ENOSPC"))
    assert len(os.listdir(tmp_path)) == 1


def test_strange_temporary_file_is_left_alone(tmp_path: Path) -> None:
    """If there is a file with the temporary name already, the write fails and that file is not removed."""

    class Unlucky(FileSystem):
        def token(self) -> str:
            return "taken"

    (tmp_path / ".bookcore-taken.tmp").write_bytes(b"someone's")
    with pytest.raises(SnapshotError):
        write_file(tmp_path / "a.bks", FACTS, SECTIONS, fs=Unlucky())
    assert (tmp_path / ".bookcore-taken.tmp").read_bytes() == b"someone's"


def test_folder_that_does_not_sync_is_told_with_the_file_in_place(tmp_path: Path) -> None:
    """After the last step the new file is in place: the error says that it is complete, but not safe yet."""
    calls = calls_of_a_write(tmp_path)
    with pytest.raises(SnapshotError, match="whole") as caught:
        write_file(tmp_path / "a.bks", FACTS, SECTIONS, fs=Faulty(len(calls) - 2, "EIO"))
    assert isinstance(caught.value.__cause__, OSError)
    assert read_file(tmp_path / "a.bks") == (FACTS, SECTIONS)


@pytest.mark.parametrize("how", ["EIO", "short", "nothing", "garbage"])
def test_fault_at_any_call_of_a_read_is_a_snapshot_error(tmp_path: Path, how: str) -> None:
    """For every call: a file that cannot be read raises an error, and is never read in part."""
    path = tmp_path / "a.bks"
    write_file(path, FACTS, SECTIONS)
    counting = Faulty()
    read_file(path, fs=counting)
    for at, name in enumerate(counting.calls):
        broken = Faulty(at, how)
        if how == "EIO" or (name == "read" and how != "short"):
            with pytest.raises(SnapshotError):
                read_file(path, fs=broken)
        else:
            assert read_file(path, fs=broken) == (FACTS, SECTIONS)
        assert broken.open_now == 0
