"""What `Calendar.open` takes besides the directory: a key, a store, the keys and ids of the calendar, progress."""

from __future__ import annotations

import pickle
from datetime import date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zlib import crc32

import pytest

from bookcore import (
    BookcoreError,
    Calendar,
    KeyTypeError,
    MemoryStore,
    Resource,
    StoreError,
    TreeStore,
)
from bookcore.persist.errors import SnapshotKeyError
from bookcore.persist.journal import frames
from bookcore.persist.journal.errors import JournalDamagedError

KEY = b"a key of the program"


def booked(folder: Path, count: int = 3, **options: Any) -> Calendar:
    """Return an open calendar with a resource and so many bookings, the last one after a checkpoint."""
    calendar = Calendar.open(folder, **options)
    room = calendar.add_resource(Resource("room"))
    for at in range(count):
        if at == count - 1:
            calendar.checkpoint()
        calendar.book(room, at, at + 1)
    return calendar


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "LOCK"}


# -- a key -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ends", ["closed", "killed"])
@pytest.mark.parametrize("key", [KEY, b"k", bytes(64)], ids=len)
def test_a_directory_is_opened_with_its_key(key: bytes, ends: str, tmp_path: Path) -> None:
    """And goes on, over checkpoints and new files."""
    calendar = booked(tmp_path, key=key)
    for number in range(3):
        digest = calendar.digest()
        calendar.close() if ends == "closed" else calendar._recorder.files.release()
        calendar = Calendar.open(tmp_path, key=key)
        assert calendar.digest() == digest
        calendar.book("room", 10 + number, 11 + number)
        calendar.checkpoint()
    calendar.close()


@pytest.mark.parametrize("made", [None, KEY])
@pytest.mark.parametrize("given", [None, KEY, b"another", KEY + b"!"])
def test_another_key_or_none_is_refused(made: bytes | None, given: bytes | None, tmp_path: Path) -> None:
    """By an error of its own, and nothing is changed. A key that was not needed is refused as well."""
    booked(tmp_path, key=made).close()
    before = contents(tmp_path)
    if given == made:
        Calendar.open(tmp_path, key=given).close()
        return
    for _ in range(2):
        with pytest.raises(SnapshotKeyError) as caught:
            Calendar.open(tmp_path, key=given)
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301
        assert contents(tmp_path) == before


@pytest.mark.parametrize("key", ["text", b"", bytes(65), 5, bytearray(b"key"), True], ids=repr)
def test_what_is_no_key_is_refused_before_anything_is_made(key: Any, tmp_path: Path) -> None:
    """A key is 1 to 64 bytes."""
    with pytest.raises(SnapshotKeyError, match="1 to 64 bytes"):
        Calendar.open(tmp_path / "new", key=key)
    assert not (tmp_path / "new").exists()


def forged(data: bytes, *, sealed: bool, first: int, at: int = -1) -> bytes:
    """Return a journal file with one bit of a record changed, and all checksums right again."""
    head = frames.read_header(data)
    assert head is not None
    found = frames.read_frames(data, head.store_id, first, KEY if sealed else b"").records[at]
    size = found.size + (frames.SEAL_SIZE if sealed else 0)
    record = bytearray(data[found.at : found.at + size])
    record[found.size - 1] ^= 1
    made = frames.frame(head.store_id, first, found.sequence, found.synced, found.time, bytes(record))
    start = found.at - frames.FRAME_SIZE
    return data[:start] + made + data[start + len(made) :]


@pytest.mark.parametrize("is_closed", [True, False])
def test_who_has_not_the_key_can_change_no_record(is_closed: bool, tmp_path: Path) -> None:
    """Though all checksums are right: also the last record, which could be taken for a write that was cut off."""
    booked(tmp_path, 5, key=KEY).close()
    path = max(tmp_path.glob("wal-*"))
    if not is_closed:
        (tmp_path / "CLEAN").unlink()
    path.write_bytes(forged(path.read_bytes(), sealed=True, first=int(path.stem[4:])))
    before = contents(tmp_path)
    with pytest.raises(JournalDamagedError, match="no seal of this key"):
        Calendar.open(tmp_path, key=KEY)
    assert contents(tmp_path) == before


def test_records_are_neither_put_elsewhere_nor_taken_from_another_file(tmp_path: Path) -> None:
    """The seal says where a record belongs: the same record under another number bears no seal."""
    booked(tmp_path, 5, key=KEY).close()
    path = max(tmp_path.glob("wal-*"))
    data, first = path.read_bytes(), int(path.stem[4:])
    head = frames.read_header(data)
    assert head is not None
    [found] = frames.read_frames(data, head.store_id, first, KEY).records
    record = data[found.at : found.end + frames.SEAL_SIZE]
    repeated = frames.frame(head.store_id, first, found.sequence + 1, found.synced, found.time, record)
    path.write_bytes(data + repeated)
    with pytest.raises(JournalDamagedError, match="no seal of this key"):
        Calendar.open(tmp_path, key=KEY)
    whole = frames.read_frames(data, head.store_id, first, KEY)
    assert frames.frames_after(data + repeated, whole, head.store_id, first, KEY) == []


def test_a_record_too_short_for_a_seal_bears_none() -> None:
    """Whatever the bytes are."""
    data = frames.header(b"8 bytes.", 1, 0, KEY) + frames.frame(b"8 bytes.", 1, 1, 0, 0, b"short")
    assert frames.read_frames(data, b"8 bytes.", 1, KEY) == ([], frames.HEADER_SIZE, frames.HEADER_SIZE)


@pytest.mark.parametrize("key", [KEY, None])
def test_a_file_without_seals_is_not_mixed_with_others(key: bytes | None, tmp_path: Path) -> None:
    """The header of a file says whether its records are sealed; the snapshot has said it before."""
    booked(tmp_path, 5, key=key).close()
    path = max(tmp_path.glob("wal-*"))
    data = path.read_bytes()
    head = data[:10] + bytes((0 if key else 1, 0)) + data[12 : frames.HEADER_SIZE - 4]
    path.write_bytes(head + crc32(head).to_bytes(4, "little") + data[frames.HEADER_SIZE :])
    with pytest.raises(JournalDamagedError, match="unlike the snapshot"):
        Calendar.open(tmp_path, key=key)


def test_who_has_not_the_key_cannot_say_how_many_records_there_were(tmp_path: Path) -> None:
    """A shorter CLEAN, with a right checksum, would hide that the end of the records was cut off."""
    booked(tmp_path, 5, key=KEY).close()
    data = (tmp_path / "CLEAN").read_bytes()
    facts = data[:16] + (1).to_bytes(8, "little")
    facts += crc32(facts).to_bytes(4, "little")
    for forgery in (facts + data[28:], facts, data[:5]):
        (tmp_path / "CLEAN").write_bytes(forgery)
        with pytest.raises(JournalDamagedError, match="CLEAN"):
            Calendar.open(tmp_path, key=KEY)


# -- what is as for restore --------------------------------------------------------------------------


def test_a_store_of_ones_own_is_filled(tmp_path: Path) -> None:
    """Whatever store the calendar had before: what is on the disk does not depend on it."""
    with booked(tmp_path) as calendar:
        digest = calendar.digest()
    for store in (TreeStore(), MemoryStore()):
        with Calendar.open(tmp_path, store=store) as calendar:
            assert calendar._engine.state.store is store
            assert calendar.digest() == digest
    with pytest.raises(StoreError, match="already serves a calendar"):
        Calendar.open(tmp_path, store=store)
    with Calendar.open(tmp_path) as calendar:  # unlocked
        assert calendar.digest() == digest


def test_keys_and_ids_are_those_that_the_program_states(tmp_path: Path) -> None:
    """As for a new calendar, and for `restore`."""
    with Calendar.open(tmp_path / "dates", keys=date) as calendar:
        calendar.add_resource(Resource("room"))
        with pytest.raises(KeyTypeError):
            calendar.book("room", datetime(2026, 1, 1), datetime(2026, 1, 2))
        calendar.book("room", date(2026, 1, 1), date(2026, 1, 2))
    with Calendar.open(tmp_path / "dates", keys=date) as calendar, pytest.raises(KeyTypeError):
        calendar.remove_booking(1)
        calendar.book("room", 1, 2)


def test_ids_are_made_by_the_function_of_the_program(world: SimpleNamespace, tmp_path: Path) -> None:
    """An object comes back under the id that the function makes, or is refused."""
    by_kind = {"types": world.TYPES, "resource_key": lambda row: (type(row).__name__, row.id)}
    with Calendar.open(tmp_path, **by_kind) as calendar:
        boat = calendar.add_resource(world.Boat("one"))
        flat = calendar.add_resource(world.Flat("one", 3))
        calendar.book(boat, 1, 2)
        assert calendar.resource(("Flat", "one")) is flat
    for _ in range(2):
        with Calendar.open(tmp_path, **by_kind) as calendar:
            assert not calendar.is_available(("Boat", "one"), 1, 2)
            assert calendar.is_available(("Flat", "one"), 1, 2)
            calendar.checkpoint()
    with pytest.raises(BookcoreError, match=r"another id"):
        Calendar.open(tmp_path, types=world.TYPES)


# -- progress ----------------------------------------------------------------------------------------


def test_progress_is_told_up_to_the_end(tmp_path: Path) -> None:
    """Bytes that were read, of all bytes; what the function raises comes as it is, and the directory is unlocked."""
    told: list[tuple[int, int]] = []
    Calendar.open(tmp_path, progress=lambda done, total: told.append((done, total))).close()
    booked(tmp_path, 3000, sync="never").close()
    told.clear()
    with Calendar.open(tmp_path, progress=lambda done, total: told.append((done, total))) as calendar:
        position = calendar.position
    assert len(told) > 1
    assert told == sorted(told)
    assert len({total for _, total in told}) == 1
    assert told[-1][0] == told[-1][1]

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Calendar.open(tmp_path, progress=stop)
    with Calendar.open(tmp_path) as calendar:
        assert calendar.position == position
