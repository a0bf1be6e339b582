"""The pickle layer lets one flat tuple of bytes through, and nothing else."""

from __future__ import annotations

import copyreg
import os
import pickle
import struct
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookcore.errors import SnapshotError
from bookcore.persist.errors import SnapshotDamagedError
from bookcore.persist.snapshot import flat
from bookcore.persist.snapshot.format import read_file

Forge = Callable[..., Path]

HEAD = b"\x80\x05"
ran: list[str] = []


def run(mark: str) -> str:
    """Note that a file has run code."""
    ran.append(mark)
    return mark


class Runs:
    """An object whose pickle calls a function."""

    def __reduce__(self) -> Any:
        return run, ("REDUCE",)


def eight(number: int) -> bytes:
    """Return a number as eight bytes."""
    return struct.pack("<Q", number)


def text(value: str) -> bytes:
    """Return the opcode that pushes a text."""
    return b"\x8c" + bytes((len(value),)) + value.encode()


NAME = __name__
# Each is an attack that succeeds against some unpickler.
HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "no pickle": b"hello",
    "another protocol": pickle.dumps((b"ab", b"cd"), 4),
    "protocol 0": pickle.dumps((b"ab", b"cd"), 0),
    "reduce": pickle.dumps(Runs(), 5),
    "reduce inside a tuple": pickle.dumps((b"ab", Runs()), 5),
    "stack global": HEAD + text(NAME) + text("run") + b"\x93" + text("x") + b"\x85R.",
    "global": HEAD + b"c" + NAME.encode() + b"\nrun\n" + text("x") + b"\x85R.",
    "inst": HEAD + b"(" + text("x") + b"i" + NAME.encode() + b"\nrun\n.",
    "obj": HEAD + b"(c" + NAME.encode() + b"\nRuns\no.",
    "newobj": HEAD + b"c" + NAME.encode() + b"\nRuns\n)\x81.",
    "newobj_ex": HEAD + b"c" + NAME.encode() + b"\nRuns\n)}\x92.",
    "build": HEAD + b"c" + NAME.encode() + b"\nRuns\n}" + text("a") + text("b") + b"sb.",
    "extension 1": HEAD + b"\x82\xf1" + text("x") + b"\x85R.",
    "extension 2": HEAD + b"\x83\xf1\x00" + text("x") + b"\x85R.",
    "extension 4": HEAD + b"\x84\xf1\x00\x00\x00" + text("x") + b"\x85R.",
    "persistent id": HEAD + b"Pnobody\n.",
    "binary persistent id": HEAD + text("nobody") + b"Q.",
    "next buffer": HEAD + b"\x97.",
    "read-only buffer": HEAD + b"C\x02ab\x98.",
    "nested tuple of 150 KB": HEAD + b"C\x02ab" + b"\x85" * 150_000 + b".",
    "nested marks": HEAD + b"(" * 100_000 + b"t" * 100_000 + b".",
    "nested lists": HEAD + b"]" * 50_000 + b"a" * 49_999 + b"\x85.",
    "eight-byte length": HEAD + b"\x8e" + eight(1_500_000_000) + b".",
    "eight-byte length beyond all": HEAD + b"\x8e" + eight(2**64 - 1) + b".",
    "eight-byte length at the sign": HEAD + b"\x8e" + eight(2**63) + b".",
    "four-byte length": HEAD + b"B\xff\xff\xff\x7f.",
    "text length": HEAD + b"\x8d" + eight(1_500_000_000) + b".",
    "bytearray length": HEAD + b"\x96" + eight(1_500_000_000) + b".",
    "long length": HEAD + b"\x8b\xff\xff\xff\x7f.",
    "frame length": HEAD + b"\x95" + eight(2**63) + b"C\x02ab\x85.",
    "memo index": HEAD + b"C\x02abr\xff\xff\xff\x7f\x85.",
    "memo get": HEAD + b"C\x02ab\x94h\x00\x86.",
    "memo of nothing": HEAD + b"\x94C\x02ab\x85.",
    "memo twice": HEAD + b"C\x02ab\x94\x94\x85.",
    "doubling by reference": HEAD + b"C\x02ab" + b"2\x86" * 64 + b".",
    "forty-one opcodes": HEAD + b"(" + b"C\x02ab\x94" * 20 + b"t.",
    "a million columns": HEAD + b"(" + b"C\x00" * 1_000_000 + b"t.",
    "two ends": HEAD + b"C\x02ab\x85.C\x02ab\x85.",
    "data after the end": HEAD + b"C\x02ab\x85.garbage",
    "no end": HEAD + b"C\x02ab\x85",
    "nothing but an end": HEAD + b".",
    "a bare bytes": HEAD + b"C\x02ab.",
    "a tuple in a tuple": HEAD + b"C\x02ab\x85\x85.",
    "too few for the tuple": HEAD + b"C\x02ab\x87.",
    "too many for the tuple": HEAD + b"C\x02abC\x02abC\x02ab\x86.",
    "tuple without a mark": HEAD + b"C\x02abt.",
    "mark in the middle": HEAD + b"C\x02ab(C\x02abt.",
    "bytes after the tuple": HEAD + b"C\x02ab\x85C\x02ab.",
    "another protocol inside": HEAD + HEAD + b"C\x02ab\x85.",
    "text for bytes": HEAD + text("ab") + b"\x85.",
    "number for bytes": HEAD + b"K\x05\x85.",
    "list for tuple": pickle.dumps([b"ab"], 5),
    "length cut off": HEAD + b"\x8e\x01\x00",
    "empty tuple": HEAD + b").",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickle_is_refused_at_once(name: str, forge: Forge, within_limits: AbstractContextManager[None]) -> None:
    """In a file with a right digest, each attack raises SnapshotDamagedError with an offset, in 50 ms and 64 MB."""
    path = forge([HOSTILE[name]])
    ran.clear()
    with pytest.raises(SnapshotDamagedError) as caught, within_limits:
        read_file(path)
    assert caught.value.offset is not None
    assert caught.value.offset >= 64
    assert str(path) in str(caught.value)
    assert not ran


def test_attacks_are_real() -> None:
    """The corpus holds attacks: an ordinary unpickler runs them."""
    ran.clear()
    for name in ("reduce", "stack global", "global", "inst"):
        pickle.loads(HOSTILE[name])  # noqa: S301 - that this is a mistake is the point
    assert len(ran) == 4


def test_registered_extension_is_not_run(forge: Forge) -> None:
    """An EXT opcode finds its function in a cache, without calling find_class; it is refused all the same."""
    copyreg.add_extension(NAME, "run", 0xF1)
    try:
        ran.clear()
        for name in ("extension 1", "extension 2", "extension 4"):
            with pytest.raises(SnapshotError):
                read_file(forge([HOSTILE[name]]))
        assert not ran
        pickle.loads(HOSTILE["extension 1"])  # noqa: S301 - and so it is with an ordinary one
        assert ran
    finally:
        copyreg.remove_extension(NAME, "run", 0xF1)
        copyreg.clear_extension_cache()


@given(st.binary(max_size=200))
def test_random_bytes_are_refused_or_a_tuple_of_bytes(data: bytes) -> None:
    """Whatever follows the protocol mark, loading returns a tuple of bytes or raises FlatError."""
    for attempt in (data, HEAD + data, HEAD + b"(" + data + b"t.", HEAD + b"C\x02ab" + data):
        try:
            found = flat.loads(attempt)
        except flat.FlatError:
            continue
        assert type(found) is tuple
        assert all(type(column) is bytes for column in found)


@given(st.lists(st.binary(min_size=2, max_size=300), min_size=1, max_size=flat.MAX_COLUMNS))
def test_columns_come_back(columns: list[bytes]) -> None:
    """Columns of two or more bytes, each a distinct object, come back as they were, as from an unpickler."""
    own = tuple(bytes(bytearray(column)) for column in columns)
    assert flat.loads(flat.dumps(own)) == pickle.loads(flat.dumps(own)) == own  # noqa: S301


@pytest.mark.parametrize("size", [1 << 8, (1 << 16) - 1, 1 << 16, 1 << 20])
def test_as_many_large_columns_as_allowed_come_back(size: int) -> None:
    """Columns that the pickler puts outside its frames take more opcodes, and still fit the limit."""
    columns = tuple(os.urandom(size) for _ in range(flat.MAX_COLUMNS))
    assert flat.loads(flat.dumps(columns)) == columns


def test_shared_column_is_refused_when_written() -> None:
    """The pickler would write the second use of an object as a reference, which `loads` refuses."""
    column = b"twice"
    with pytest.raises(ValueError, match="not one flat tuple"):
        flat.dumps((column, column))
