"""The bytes of a format stay as they are: a digest for every section of a state and for a column of every family.

Format 2 differs from format 1 in the section of the bookings alone.

The digests were made before the modules of the format were rewritten. A digest that changes means that
files written today differ from files of format 1, and so needs a new format version.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from hashlib import blake2b
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from bookcore import Calendar, Resource
from bookcore.persist.codec.columns import KeyColumn, encode_column, encode_numbers
from bookcore.persist.registry import register_key_codec
from bookcore.persist.snapshot.format import Facts, write_file
from bookcore.persist.snapshot.state import Bookings, Closures, State, encode_state

NOON = datetime(2024, 3, 31, 12, 0, 0, 5)
PARIS = ZoneInfo("Europe/Paris")


class Port:
    """A key class of the user."""

    def __init__(self, number: int) -> None:
        self.number = number


COLUMNS: dict[str, list[Any]] = {
    "no rows": [],
    "None": [None, None, None],
    "bool": [True, False, True],
    "int, small": [-1, 5, 1 << 62],
    "int, natural": [3, (1 << 64) - 1, 3],
    "int, large": [1 << 80, -(1 << 90)],
    "int, run": list(range(7, 1007)),
    "int, table": [5, 1 << 40, 5, 5, 5, 1 << 40],
    "float": [0.0, -0.0, 1.5, float("inf")],
    "str, lines": ["Ada", "", "b\ud800"],
    "str, lengths": ["a\nb", "", "c"],
    "str, table": ["a", "b", "a", "a", "b", "a"],
    "bytes": [b"", b"abc", b"\0"],
    "Decimal": [Decimal("1.0"), Decimal("1.00"), Decimal("NaN"), Decimal("-0")],
    "Fraction": [Fraction(1, 3), Fraction(-5, 7), Fraction(1, 3), Fraction(1, 3)],
    "UUID": [UUID(int=5), UUID(int=1 << 100)],
    "date": [date(2024, 2, 29), date(1, 1, 1)],
    "datetime": [NOON, NOON + timedelta(days=1)],
    "datetime, table": [NOON, NOON + timedelta(days=1)] * 4,
    "datetime, fold": [NOON, NOON.replace(fold=1)] * 4,
    "datetime, zones": [
        NOON, NOON.replace(tzinfo=UTC), NOON.replace(tzinfo=PARIS), NOON.replace(tzinfo=timezone(timedelta(hours=2))),
        NOON.replace(tzinfo=timezone(timedelta(hours=2), "x")), NOON.replace(tzinfo=PARIS, fold=1),
    ],
    "time": [time(1, 2, 3, 4), time(23, 59, fold=1), time(1, tzinfo=UTC)],
    "timedelta": [timedelta(days=-1, microseconds=7), timedelta(0)],
    "tuple, by position": [(1, "a", None), (2, "b", 1.5)],
    "tuple, by lengths": [(1,), (), ("a", 2)],
    "tuple, nested": [((1, 2), ("a",)), ((3, 4), ("b",))],
    "list": [[1, 2], [], ["x", [None]]],
    "dict, by position": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}],
    "dict, by lengths": [{"a": 1}, {}, {5: [1]}],
    "set": [{1}, set(), frozenset({2})],
    "several kinds": [None, 1, "a", True, 1.0, (1,), None, Port(7)],
    "registered class": [Port(1), Port(2), Port(1)],
}  # fmt: skip

NUMBERS = {
    "empty": [],
    "all the same": [3, 3, 3],
    "B": [1, 255],
    "H": [1, 256],
    "I": [1, 1 << 16],
    "Q": [1, 1 << 32],
    "large": [1, 1 << 64],
}


@pytest.fixture
def state(sound: Callable[..., State]) -> State:
    """Return a state with a row in every section, and with a released booking that a closure lists."""
    return sound(
        closures=Closures([7], [0], KeyColumn([1, None]), ["paint"], [[0, 2]]),
        released=Bookings([3], [1], [0], KeyColumn([2, 3]), [1], [None]),
    )


def digest(*parts: bytes) -> str:
    """Return a short digest of parts and of where they are divided."""
    return blake2b(
        b"".join(len(part).to_bytes(8, "little") + part for part in parts), digest_size=8
    ).hexdigest()


@pytest.fixture(autouse=True)
def _registered(_own_registry: None) -> None:
    """Register the key codec of the class `Port`."""
    register_key_codec(Port, "example.port", encode=lambda port: port.number, decode=Port)


COLUMN_DIGESTS = {
    "no rows": "cc7905743f6dbcb3",
    "None": "4986e8f8b322b6c4",
    "bool": "cd694147f61781e7",
    "int, small": "21d301f1400bc85a",
    "int, natural": "5ec07f4c4f98e7b7",
    "int, large": "03198097e8df89a4",
    "int, run": "2cb0e4c9e1592437",
    "int, table": "65cd3c8c674dd66c",
    "float": "742df72446bf6cb7",
    "str, lines": "a07c95b98f039d93",
    "str, lengths": "99fb4915cadffd34",
    "str, table": "ec1dabb3aa4c75fd",
    "bytes": "ef43ee43828a304a",
    "Decimal": "07017dc4b5cbb677",
    "Fraction": "d347fd3dc2524a8d",
    "UUID": "b30f63422e1aae84",
    "date": "728593e65c876d66",
    "datetime": "027ce847a830fab1",
    "datetime, table": "e94b4b4eab2e07db",
    "datetime, fold": "2f9c392dbeb7004f",
    "datetime, zones": "c2673c3a15a2b460",
    "time": "39c35d1e73d14b23",
    "timedelta": "715a37ee10f13d33",
    "tuple, by position": "a91ea24b8d30922f",
    "tuple, by lengths": "0a217a06ed4e5d5f",
    "tuple, nested": "9d12f99e09542c35",
    "list": "8e13983b29de56ba",
    "dict, by position": "5a7a3330b7a3cd63",
    "dict, by lengths": "de60eb4bbca875a5",
    "set": "89dd52da5006581a",
    "several kinds": "a767688d383623c1",
    "registered class": "9539fd1207b0e897",
}

NUMBER_DIGESTS = {
    "empty": "9c9f01892814fc40",
    "all the same": "077f06773958c792",
    "B": "fa40acc48c6b76d1",
    "H": "48561acd37455c17",
    "I": "20ecf80495de4e27",
    "Q": "6c795cbd1727a1c5",
    "large": "2e912c040c7e89c1",
}

SECTION_DIGESTS = {
    "calendar": "4e8ed389cb40a30b",
    "resources": "6211a0ebd56ec18b",
    "tags": "e1e9dd2fda70e84b",
    "rules": "9bafdda16957b85a",
    "bookings": "66cee9c3f9532177",
    "holds": "877a9e89cc8eb824",
    "expired": "12ff8aa63574f156",
    "closures": "c71ef0a9e9ea31fa",
    "released": "e9c286dce8f32912",
}


@pytest.mark.parametrize("name", COLUMNS)
def test_bytes_of_a_column_are_those_of_format_1(name: str) -> None:
    """Every family of values, and every form in which a family is written."""
    assert digest(encode_column(COLUMNS[name])) == COLUMN_DIGESTS[name]


@pytest.mark.parametrize("name", NUMBERS)
def test_bytes_of_numbers_are_those_of_format_1(name: str) -> None:
    """Every width of an array of numbers."""
    assert digest(encode_numbers(NUMBERS[name])) == NUMBER_DIGESTS[name]


def test_bytes_of_numpy_scalars_are_those_of_format_1() -> None:
    """Numbers, texts and times of NumPy."""
    numpy = pytest.importorskip("numpy")
    values = [
        numpy.int64(5), numpy.int64(6), numpy.float32(1.5), numpy.datetime64("2024-01-01", "s"), numpy.str_("a\0"),
        numpy.bytes_(b"x"), numpy.bool_(True),
    ]  # fmt: skip
    assert digest(encode_column(values)) == "d4e1aaa618567566"


def test_bytes_of_pandas_timestamps_are_those_of_format_1() -> None:
    """Timestamps with a zone and without, in two units, and a Timedelta."""
    pandas = pytest.importorskip("pandas")
    noon = pandas.Timestamp("2024-03-31 12:00").as_unit("us")
    values = [noon, noon.tz_localize(PARIS), pandas.Timedelta(days=1).as_unit("ns"), noon.as_unit("s")]
    assert digest(encode_column(values)) == "378ef446b005c5f8"


def test_bytes_of_every_section_are_those_of_format_1(state: State) -> None:
    """A section is its columns; the name of the section is in the first of them."""
    found = {section[0][8:].rstrip(b"\0").decode(): digest(*section) for section in encode_state(state)}
    assert found == SECTION_DIGESTS


@pytest.mark.parametrize(("key", "expected"), [(None, "f944842c863abc99"), (b"key", "8ab11bcad484a408")])
def test_bytes_of_a_file_are_those_of_format_1(
    tmp_path: Path, state: State, key: bytes | None, expected: str
) -> None:
    """Header, sections, digest and end mark, with a key and without."""
    path = tmp_path / "a.bks"
    write_file(path, Facts(b"sixteen bytes id", 41, 3), encode_state(state), key)
    assert digest(path.read_bytes()) == expected


def test_bytes_of_numbered_bookings_are_those_of_format_2(state: State) -> None:
    """One column more, and no other section is another one."""
    state.bookings.numbers = [12, 3]
    found = {section[0][8:].rstrip(b"\0").decode(): digest(*section) for section in encode_state(state)}
    assert found == {**SECTION_DIGESTS, "bookings": "1caf5d55f4f129ac"}


def test_bytes_of_a_small_calendar_are_those_of_format_2(tmp_path: Path) -> None:
    """The same from `Calendar.snapshot`: resources, a label, bookings, a hold, and closures."""
    calendar = Calendar(clock=lambda: 0)
    calendar.add_resource(Resource("room", before=1))
    calendar.add_resource(Resource("hall", capacity=20))
    calendar.tag("room", "sea")
    calendar.book("room", 3, 7, guest="Ada")
    calendar.book("hall", 1, 6, quantity=5)
    released = calendar.book("hall", 2, 9, quantity=7, id="gone")
    calendar.hold("room", 50, 60, until=1000)
    calendar.close("hall", 5, 8, "paint")
    calendar.remove_booking(released)
    path = tmp_path / "a.bks"
    calendar.snapshot(path)
    assert digest(path.read_bytes()) == "ae41ba76846fb619"
