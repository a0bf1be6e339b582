"""Objects whose own code raises, as arguments of `read_csv`: an error of ours, or an answer."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest

from bookcore import BookcoreError
from bookcore.tables import read_csv
from bookcore.testing.strategies import IMPOSTORS

ARGUMENTS = ("resource", "start", "end", "id", "quantity", "delimiter", "encoding", "keys", "date_format", "bounds",
             "zone", "only", "leave_out")  # fmt: skip


@pytest.mark.parametrize("name", ARGUMENTS)
def test_hostile_objects_bring_out_only_errors_of_ours(name: str) -> None:
    for what, make in IMPOSTORS.items():
        try:
            with read_csv(io.StringIO("resource,start,end\nloft,1,5\n"), **{name: make()}) as table:
                list(table)
        except BookcoreError as error:
            assert str(error)
        except Exception as error:
            raise AssertionError(f"{name} is {what}") from error


class File:
    """A file whose methods are given."""

    def __init__(self, read: Callable[[int], Any], name: Any = "rows.csv") -> None:
        self.read, self.name = read, name


def _fails(size: int) -> bytes:
    raise ZeroDivisionError


READS: dict[str, Callable[[int], Any]] = {
    "raises": _fails,
    "raises later": lambda size: b"" if not size else _fails(size),
    "numbers": lambda size: 5,
    "lists": lambda size: [1] * size,
    "text after bytes": lambda size: "x" if size else b"",
    "bytes after text": lambda size: b"x" if size else "",
    "too much": lambda size: b"resource,start,end\n" * 100_000 if size else b"",
    "for ever": lambda size: b"x" * size,
    "text for ever": lambda size: "x" * size,
    "an object": lambda size: object(),
}


@pytest.mark.parametrize("what", READS)
def test_a_file_whose_own_code_fails_is_refused(what: str) -> None:
    """By an error of ours, and in bounded time."""
    with pytest.raises(BookcoreError):
        list(read_csv(File(READS[what])))  # type: ignore[arg-type]


def test_the_name_of_a_file_may_be_anything() -> None:
    """It is for messages only."""
    for make in (lambda: 5, lambda: None, lambda: b"rows", *IMPOSTORS.values()):
        content = io.StringIO("resource,start,end\nloft,1,5\n")
        (row,) = read_csv(File(content.read, make()))  # type: ignore[arg-type]
        assert row.start == 1  # type: ignore[union-attr]


def test_an_object_that_is_no_file_is_refused() -> None:
    """Whatever it does when it is looked at."""
    for make in IMPOSTORS.values():
        with pytest.raises(BookcoreError):
            read_csv(make())
