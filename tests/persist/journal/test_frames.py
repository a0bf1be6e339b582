"""Frames: each verifies alone, and a file that lost a write is told from a file that was damaged."""

from __future__ import annotations

import random
from zlib import crc32

import pytest

from bookcore.persist.journal import frames
from bookcore.persist.journal.frames import (
    FRAME_SIZE,
    HEADER_SIZE,
    frame,
    frames_after,
    header,
    read_frames,
    read_header,
)

STORE, FIRST = b"store id", 41
RECORDS = [b"a", b"bc" * 9, b"\0", b"\0" * 40, bytes(range(60))]


def written(synced: int | None = None) -> bytes:
    """Return a file of five records; each says that all before it are on the disk, or those up to *synced*."""
    data = header(STORE, FIRST, 7)
    for sequence, record in enumerate(RECORDS, FIRST):
        data += frame(STORE, FIRST, sequence, sequence - 1 if synced is None else synced, 100 + sequence, record)
    return data


STARTS = [HEADER_SIZE + sum(FRAME_SIZE + len(record) for record in RECORDS[:at]) for at in range(6)]


def records(data: bytes) -> list[bytes]:
    return [data[found.at : found.end] for found in read_frames(data, STORE, FIRST).records]


def test_what_was_written_is_read() -> None:
    """Header and records come back, and the file ends where the last frame does."""
    data = written()
    assert read_header(data) == (1, STORE, FIRST, 7, False)
    assert records(data) == RECORDS
    found = read_frames(data, STORE, FIRST)
    assert found.end == len(data)
    assert [each[2:] for each in found.records] == [(n, n - 1, 100 + n) for n in range(41, 46)]


def test_a_file_cut_at_any_byte_is_a_prefix() -> None:
    """The records before the cut are there, and nothing proves damage."""
    data = written()
    for size in range(HEADER_SIZE, len(data)):
        found = read_frames(data[:size], STORE, FIRST)
        whole = sum(start <= size for start in STARTS[1:])
        assert (records(data[:size]), found.end, found.proof) == (RECORDS[:whole], STARTS[whole], None)


def test_every_flipped_bit_ends_the_file_there() -> None:
    """If a later frame says that the damaged one was on the disk, it proves damage; the last frame has no later one."""
    data = written()
    for bit in range(8 * HEADER_SIZE, 8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        hit = sum(start <= bit // 8 for start in STARTS) - 1
        found = read_frames(bytes(damaged), STORE, FIRST)
        assert found.end == STARTS[hit]
        assert found.proof == (STARTS[hit + 1] if hit < 4 else None), bit


def test_a_lost_write_before_one_that_was_kept_proves_nothing() -> None:
    """None of the records was on the disk when the later ones were written: a power cut may keep any of them."""
    data = written(synced=FIRST - 1)
    for lost in range(5):
        damaged = data[: STARTS[lost]] + bytes(STARTS[lost + 1] - STARTS[lost]) + data[STARTS[lost + 1] :]
        assert records(damaged) == RECORDS[:lost]
        assert read_frames(damaged, STORE, FIRST).proof is None


@pytest.mark.parametrize("extra", [1, 7, 32, 100])
def test_bytes_that_were_put_in_or_taken_out_prove_damage(extra: int) -> None:
    """A frame that is not where it belongs was moved."""
    data, rng = written(), random.Random(extra)
    for start in STARTS[:4]:
        assert read_frames(data[:start] + rng.randbytes(extra) + data[start:], STORE, FIRST).proof == start + extra
    assert read_frames(data[: STARTS[1]] + data[STARTS[2] :], STORE, FIRST).proof is not None


@pytest.mark.parametrize("tail", [bytes(1), bytes(5000), b"\1" * 30, bytes(range(256))])
def test_what_is_no_frame_is_left_out(tail: bytes) -> None:
    """Zeros or rubbish after the last frame are the rest of a write that was cut off."""
    data = written()
    assert read_frames(data + tail, STORE, FIRST) == read_frames(data, STORE, FIRST)


def test_frames_of_another_file_are_no_frames() -> None:
    """Neither those of another store, nor those of another file of the same one."""
    data = written()
    assert read_frames(data, b"STORE ID", FIRST).records == []
    assert read_frames(data, STORE, FIRST + 1).records == []
    repeated = data + data[STARTS[0] :]
    assert records(repeated) == RECORDS


def test_every_flipped_bit_of_a_header_is_noticed() -> None:
    """A header with any bit changed is none."""
    data = written()
    for bit in range(8 * HEADER_SIZE):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        assert read_header(bytes(damaged)) is None
    assert all(read_header(data[:size]) is None for size in range(HEADER_SIZE))


def test_what_can_be_read_after_damage_is_found() -> None:
    """Every frame but the damaged one, each once and in order; none of a record that was read before."""
    data = written()
    for hit in range(5):
        damaged = bytearray(data)
        damaged[STARTS[hit] + FRAME_SIZE] ^= 1
        found = read_frames(bytes(damaged), STORE, FIRST)
        later = frames_after(bytes(damaged), found, STORE, FIRST)
        assert [each.sequence for each in found.records + later] == [n for n in range(41, 46) if n != 41 + hit]
        assert [bytes(damaged[each.at : each.end]) for each in later] == RECORDS[hit + 1 :]
    repeated = data + data[STARTS[0] :]
    assert frames_after(repeated, read_frames(repeated, STORE, FIRST), STORE, FIRST) == []


def test_the_rest_of_a_large_record_is_looked_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record of a hundred thousand bookings that was cut off holds numbers, of which every one could be a length."""
    rng = random.Random(1)
    numbers = [rng.choice((n, rng.randrange(1 << 20), FIRST + 5, 0)) for n in range(20_000)]
    cut_off = b"".join(number.to_bytes(rng.choice((4, 8)), "little") for number in numbers)
    looked = 0

    def counted(data: bytes, start: int = 0) -> int:
        nonlocal looked
        looked += len(data)
        return crc32(data, start)

    monkeypatch.setattr(frames, "crc32", counted)
    data = header(STORE, FIRST, 1_700_000_000_000_000)
    found = read_frames(data + cut_off, STORE, FIRST)
    assert (found.records, found.proof) == ([], None)
    assert looked < 20 * len(cut_off)


@pytest.mark.parametrize("first", [1, (1 << 32) - 3, (1 << 32) - 1, 1 << 32, 1 << 40, (1 << 62) + 5])
def test_frames_are_found_whatever_their_numbers_are(first: int) -> None:
    """Also where the upper half of a number changes from one record to the next."""
    whole = [frame(STORE, first, first + n, first + n - 1, 0, b"record") for n in range(6)]
    data = header(STORE, first, 0) + whole[0] + bytes([255] * len(whole[1])) + b"".join(whole[2:])
    found = read_frames(data, STORE, first)
    assert found.proof == HEADER_SIZE + 2 * len(whole[0])
    assert [each.sequence - first for each in frames_after(data, found, STORE, first)] == [2, 3, 4, 5]
