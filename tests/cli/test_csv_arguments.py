"""Objects whose own code raises, as arguments of `read_csv`: an error of ours, or an answer."""

from __future__ import annotations

import io

import pytest

from bookcore import BookcoreError
from bookcore.tables import read_csv
from bookcore.testing.strategies import IMPOSTORS

ARGUMENTS = ("resource", "start", "end", "id", "quantity", "delimiter", "encoding", "keys", "date_format", "bounds")


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
