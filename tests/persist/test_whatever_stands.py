"""Whatever a calendar accepted is written and read, or refused by name before anything is written: never lost."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bookcore.calendar import Calendar
from bookcore.changes import Closed
from bookcore.errors import BookcoreError, SnapshotError, TransactionError
from bookcore.model.event import BookingEvent
from bookcore.model.resource import Resource
from bookcore.persist.codec import columns
from bookcore.persist.errors import SnapshotDamagedError, SnapshotValueError
from bookcore.persist.snapshot import save_load
from bookcore.persist.snapshot.format import Limits, read_file

MOST = settings().max_examples  # as the profile says, see tests/conftest.py


def berlin_out_of_a_file(key: str | None) -> ZoneInfo:
    """Return a zone that says it is another, or none."""
    data = files("tzdata").joinpath("zoneinfo/Europe/Berlin").read_bytes()
    return ZoneInfo.from_file(io.BytesIO(data), key=key)


def back(calendar: Calendar, path: Path, **how: Any) -> Calendar:
    """Save a calendar, restore it, and prove its structures."""
    calendar.snapshot(path)
    found = Calendar.restore(path, **how)
    found.check()
    return found


@pytest.mark.parametrize(
    "capacity", [255, 256, 1 << 32, (1 << 64) - 1, 1 << 64, 10**30, 1 << 17_000], ids=int.bit_length
)
def test_number_of_any_size_comes_back(tmp_path: Path, capacity: int) -> None:
    """As a capacity and as a quantity."""
    calendar = Calendar()
    calendar.add_resource(Resource("a"))
    calendar.add_resource(Resource("p", capacity=capacity))
    calendar.book("p", 1, 5, quantity=capacity - 3)
    calendar.book("p", 2, 6, quantity=2)
    found = back(calendar, tmp_path / "a.bks")
    assert [resource.capacity for resource in found.resources] == [1, capacity]
    assert [event.quantity for event in found.bookings()] == [capacity - 3, 2]
    assert found.is_available("p", 3, 4)
    assert not found.is_available("p", 3, 4, quantity=2)
    assert found.is_available("p", 5, 6, quantity=capacity - 2)


def test_number_beyond_all_measure_is_refused_by_name(tmp_path: Path) -> None:
    """Of more than a megabyte, as an int is anywhere else."""
    calendar = Calendar()
    calendar.add_resource(Resource("p", capacity=1 << (9 << 20)))
    with pytest.raises(SnapshotValueError, match="too large"):
        calendar.snapshot(tmp_path / "a.bks")


def test_none_for_a_label_comes_back(tmp_path: Path) -> None:
    """A calendar takes any hashable."""
    calendar = Calendar()
    calendar.add_resource(Resource("a"))
    calendar.tag("a", None, "sea")
    found = back(calendar, tmp_path / "a.bks")
    assert found.tagged(None).ids() == found.tagged("sea").ids() == ["a"]


@pytest.mark.parametrize("key", [None, "No/Such", "Asia/Tokyo"])
@pytest.mark.parametrize("place", ["key", "id", "field", "label", "attribute"])
def test_zone_out_of_a_file_is_refused_before_it_is_lost(tmp_path: Path, key: str | None, place: str) -> None:
    """The key it was given may be no zone's, or another's: neither would come back as it was."""
    calendar = Calendar()
    resource = calendar.add_resource(Resource("a"))
    when = datetime(2026, 10, 25, 12, tzinfo=berlin_out_of_a_file(key))
    match place:
        case "key":
            calendar.book("a", when, None)
        case "id":
            calendar.book("a", 1, 2, id=when)
        case "field":
            calendar.book("a", 1, 2, seen=when)
        case "label":
            calendar.tag("a", when)
        case _:
            calendar.remove_resource(resource)
            calendar.add_resource(type("Flat", (Resource,), {})("b")).seen = when
    with pytest.raises(SnapshotValueError, match="time zone"):
        calendar.snapshot(tmp_path / "a.bks")
    assert not (tmp_path / "a.bks").exists()


def test_numbers_that_are_none_stay_apart(tmp_path: Path) -> None:
    """Two of them are two labels, though they look alike."""
    calendar = Calendar()
    calendar.add_resource(Resource("a"))
    calendar.tag("a", *[Decimal("NaN") for _ in range(9)], *[float("nan") for _ in range(9)])
    assert len(back(calendar, tmp_path / "a.bks")._engine.state.registry.tags) == 18


def test_file_larger_than_is_read_is_not_written(tmp_path: Path) -> None:
    """Better told now than when it is needed; who takes larger ones says so to both calls."""
    calendar = Calendar()
    calendar.add_resource(Resource("a"))
    calendar.book("a", 1, 2, note="x" * 5000)
    with pytest.raises(SnapshotError, match="limits"):
        save_load.save(calendar._engine.state, tmp_path / "a.bks", limits=Limits(5000))
    assert not (tmp_path / "a.bks").exists()
    size = calendar.snapshot(tmp_path / "a.bks")
    assert save_load.save(calendar._engine.state, tmp_path / "b.bks", limits=Limits(size)) == size
    assert read_file(tmp_path / "b.bks", limits=Limits(size))[0].rows == 1


class Choosy(BookingEvent):
    """Cannot be made without saying what it costs."""

    def __new__(cls, *args: Any, price: int, **more: Any) -> Choosy:
        return super().__new__(cls)

    def __init__(self, *args: Any, price: int, **more: Any) -> None:
        super().__init__(*args, **more)
        self.price = price


def test_booking_whose_class_has_a_new_of_its_own_comes_back(tmp_path: Path) -> None:
    """Objects are made past all code of their classes."""
    calendar = Calendar()
    calendar.add_resource(Resource("a"))
    calendar.add_booking(Choosy("a", 1, 2, price=7))
    (event,) = back(calendar, tmp_path / "a.bks", types=[Choosy]).bookings()
    assert (type(event), event.fields["price"]) == (Choosy, 7)


def test_attribute_whose_name_is_no_text_is_refused(tmp_path: Path) -> None:
    """It would not come back."""
    calendar = Calendar()
    flat = calendar.add_resource(type("Flat", (Resource,), {})("a"))
    flat.__dict__[5] = 1
    with pytest.raises(SnapshotValueError, match="attribute"):
        calendar.snapshot(tmp_path / "a.bks")


class Name(StrEnum):
    """Names of fields."""

    GUEST = "guest"


class Loose(BookingEvent):
    """Keeps attributes under the names that it was given."""

    def __init__(self, resource: Any, start: Any, end: Any, *, quantity: int = 1, **more: Any) -> None:
        super().__init__(resource, start, end, quantity=quantity)
        self.__dict__.update(more)


@pytest.mark.parametrize("cls", [BookingEvent, Loose])
@pytest.mark.parametrize("place", ["a.bks", "rooms", "sqlite:///rooms.db"])
@pytest.mark.parametrize("kind", [Name, "numpy"])
def test_names_and_reasons_of_a_subclass_of_text_come_back_as_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Any, place: str, cls: type[BookingEvent]
) -> None:
    """A member of an enumeration, and a text of NumPy, of which a reader of fields and closures would know nothing."""
    text = Name.GUEST if kind is Name else pytest.importorskip("numpy").str_("guest")
    monkeypatch.chdir(tmp_path)
    types: list[type] = [Resource, cls]
    fields: list[dict[Any, Any]] = [{text: "Ada"}, {text: "Ben"}]
    calendar: Calendar = Calendar(event_type=cls) if place == "a.bks" else Calendar.open(place, types=types, event_type=cls)
    calendar.add_resource(Resource("a"))
    calendar.book("a", 1, 2, **fields[0])
    gone = calendar.book("a", 7, 8, **fields[1])
    calendar.close("a", 5, 8, text)
    calendar.close_all(["a"], 6, 9, text)
    calendar.remove_booking(gone)
    digest = calendar.digest()
    for checkpoint in (False, True):
        if place == "a.bks":
            calendar = back(calendar, tmp_path / place, types=types)
        else:
            if checkpoint:
                calendar.checkpoint()
            calendar.close()
            calendar = Calendar.open(place, types=types)
        assert calendar.digest() == digest
        assert [(*event.fields.items(), type(event)) for event in calendar.bookings()] == [(("guest", "Ada"), cls)]
        assert [(type(closure.reason), closure.reason) for closure in calendar.closures()] == [(str, "guest")] * 2
    if place != "a.bks":
        calendar.close()


def test_the_reason_of_an_applied_closure_comes_back_as_a_text(tmp_path: Path) -> None:
    """As that of one that is made; what is no text is no reason."""
    leader: Calendar = Calendar()
    leader.add_resource(Resource("a"))
    closure = leader.close("a", 5, 8)
    with Calendar.open(tmp_path / "rooms") as follower:
        follower.add_resource(Resource("a"))
        with pytest.raises(TransactionError, match="lacks the record"):
            follower.apply(Closed(replace(closure, reason=5)))  # type: ignore[arg-type]
        follower.apply(Closed(replace(closure, reason=Name.GUEST)))
        follower.checkpoint()
        digest = follower.digest()
    with Calendar.open(tmp_path / "rooms") as follower:
        assert follower.digest() == digest
        assert [(type(each.reason), each.reason) for each in follower.closures()] == [(str, "guest")]


@pytest.mark.parametrize("value", [float("nan"), Decimal("NaN"), ("visit", float("nan"))], ids=str)
def test_id_that_equals_nothing_is_refused_where_it_would_be_looked_for(
    place: str, value: Any
) -> None:
    """The record of a move or a release would name a booking that no process finds: nothing could be opened any more."""
    with Calendar.open(place) as calendar:
        calendar.add_resource(Resource("a"))
        stay = calendar.book("a", 1, 2)
        calls: list[Callable[[], Any]] = [
            lambda: calendar.book("a", 3, 4, id=value), lambda: calendar.load([BookingEvent("a", 3, 4, id=value)]),
            lambda: calendar.add_resource(Resource(value)), lambda: calendar.tag("a", value),
        ]  # fmt: skip
        for call in calls:
            with pytest.raises(SnapshotValueError, match="equals nothing"):
                call()
        calendar.move(stay, start=3, end=4)
        digest = calendar.digest()
    with Calendar.open(place) as calendar:
        assert calendar.digest() == digest


class Mute(Exception):  # noqa: N818
    """Cannot say what is wrong."""

    def __str__(self) -> str:
        raise RuntimeError


class Sulking(BookingEvent):
    """Has fields, and does not tell."""

    @property
    def fields(self) -> Any:
        raise Mute


def test_class_whose_code_fails_raises_our_error(tmp_path: Path) -> None:
    """Even if what it raises cannot be shown."""
    calendar = Calendar()
    calendar.add_resource(Resource("a"))
    calendar.add_booking(Sulking("a", 1, 2))
    with pytest.raises(SnapshotError, match="Mute"):
        calendar.snapshot(tmp_path / "a.bks")


@pytest.mark.parametrize(
    "step", ["gather", "write_file", "read_file", "decode_state", "rebuild", "decode_keys"]
)
def test_lack_of_memory_is_not_blamed_on_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """It says nothing of the file, which is not to be thrown away as damaged."""

    def fail(*args: Any, **options: Any) -> Any:
        raise MemoryError

    path = tmp_path / "a.bks"
    Calendar().snapshot(path)
    if step == "decode_keys":
        monkeypatch.setattr(columns._Reader, "column", fail)
    else:
        monkeypatch.setattr(save_load, step, fail)
    with pytest.raises(SnapshotError, match="memory") as caught:
        Calendar().snapshot(path) if step in ("gather", "write_file") else Calendar.restore(path)
    assert not isinstance(caught.value, SnapshotDamagedError)


# -- anything at all -------------------------------------------------------------------------------

ZONES = st.sampled_from(
    [
        UTC, timezone(timedelta(hours=14)), timezone(timedelta(hours=-23, microseconds=-1)),
        timezone(timedelta(0), "\ud800"),
        *map(ZoneInfo, ("Europe/Berlin", "Australia/Lord_Howe", "Pacific/Kiritimati", "UTC")),
        ZoneInfo.no_cache("Europe/Berlin"), berlin_out_of_a_file("No/Such"),
    ]
)  # fmt: skip
FOLDS = st.sampled_from([0, 1])
NAIVE = st.sampled_from(
    [datetime.min, datetime.max, datetime(1994, 12, 31), *(datetime(2026, 10, 25, h, 30) for h in range(4))]
) | st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31))
TEXTS = st.text(st.sampled_from("ab\n\r\0\ud83d\ude00é\u2028😀"), max_size=3)
FAMILIES: dict[str, Callable[[], st.SearchStrategy[Any]]] = {
    "int": lambda: st.integers(-3, 40),
    "large": lambda: st.builds(
        int.__add__,
        st.sampled_from([-(1 << 63), 1 << 63, 1 << 64, 10**30, -(10**30), 10**5000]),
        st.integers(-3, 3),
    ),
    "float": st.floats,
    "Decimal": lambda: (
        st.sampled_from(["0", "-0", "1.0", "1.00", "1E+999999999999999999", "1E-999999999999999999"]).map(
            Decimal
        )
        | st.decimals()
    ),
    "Fraction": lambda: st.fractions() | st.just(Fraction(10**3000, 7)),
    "str": lambda: TEXTS,
    "bytes": lambda: st.binary(max_size=2),
    "date": lambda: st.sampled_from([date.min, date.max]) | st.dates(),
    "naive": lambda: st.builds(lambda at, fold: at.replace(fold=fold), NAIVE, FOLDS),
    "zoned": lambda: st.builds(
        lambda at, zone, fold: at.replace(tzinfo=zone, fold=fold), NAIVE, ZONES, FOLDS
    ),
    "time": lambda: st.builds(time, st.integers(0, 23), tzinfo=st.none() | ZONES, fold=FOLDS),
    "timedelta": lambda: st.timedeltas() | st.sampled_from([timedelta.min, timedelta.max]),
    "UUID": lambda: st.uuids() | st.just(UUID(int=0)),
    "tuple": lambda: st.tuples(
        st.integers(0, 3), TEXTS, st.builds(lambda at: at.replace(tzinfo=ZoneInfo("Europe/Berlin")), NAIVE)
    ),
    "set": lambda: st.frozensets(st.integers(0, 3) | st.none(), max_size=2),
    "bool": st.booleans,
    "odd": lambda: st.sampled_from([len, object(), range(3), Ellipsis, 1j, type("S", (str,), {})("x")]),
}
ANYTHING = st.sampled_from(sorted(FAMILIES)).flatmap(lambda family: FAMILIES[family]())


def numpy_scalars() -> st.SearchStrategy[Any]:
    """Return a strategy of scalars of NumPy, or skip."""
    np = pytest.importorskip("numpy")
    scalars = (
        np.int8(3), np.uint64(2**64 - 1), np.int64(-(2**63)), np.float16(1.5), np.float64(-0.0), np.float32("inf"),
        np.longdouble(1.5), np.bool_(True), np.str_("a\0"), np.bytes_(b"a\0"), np.timedelta64(5, "s"), np.complex64(1j),
        np.datetime64("2026-10-25T02"), np.datetime64(5, "25s"), np.datetime64("NaT", "s"), np.datetime64(2**62, "ns"),
    )  # fmt: skip
    return st.integers(0, len(scalars) - 1).map(scalars.__getitem__)  # not all of them can be hashed


def seen(value: Any) -> Any:
    """Return what can be seen of a value, however large."""
    if type(value) is int:
        return hex(value)
    if isinstance(value, tuple):
        return tuple(map(seen, value))
    return type(value), value if type(value) is frozenset else repr(value), getattr(value, "fold", None)


def told(calendar: Calendar) -> Any:
    """Return everything that was given to a calendar."""
    until = calendar._engine.state.holds.until
    return [
        [(seen(r.id), r.capacity, seen(r.before), seen(r.after)) for r in calendar.resources],
        [
            (
                seen(e.resource.id), seen(e.id), seen(e.start), seen(e.end), e.quantity, e.status,
                seen(until.get(e._seq or 0)), [(name, seen(value)) for name, value in e.fields.items()],
            )
            for e in calendar.bookings()
        ],
        [(seen(c.resource.id), seen(c.start), seen(c.end), c.reason, c.id) for c in calendar.closures()],
        sorted(repr((seen(t), calendar.tagged(t).count())) for t in calendar._engine.state.registry.tags),
    ]  # fmt: skip


@pytest.mark.parametrize("family", [*FAMILIES, "NumPy"])
def test_whatever_was_accepted_comes_back_or_is_refused_before(
    tmp_path_factory: pytest.TempPathFactory, family: str
) -> None:
    """Keys of one family; ids, fields, labels, deadlines and buffers of any."""
    keys = numpy_scalars() if family == "NumPy" else FAMILIES[family]()
    anything = ANYTHING | keys
    path = tmp_path_factory.mktemp("any") / "a.bks"

    @given(st.data(), st.sampled_from(["[)", "[]"]), st.integers(1, 30))
    @settings(max_examples=MOST // 4)
    def check(data: st.DataObject, bounds: Any, steps: int) -> None:
        calendar = Calendar(bounds=bounds, clock=lambda: 0)
        for number in range(3):
            try:
                calendar.add_resource(
                    Resource(
                        data.draw(anything) if number == 2 else number,
                        data.draw(st.sampled_from([1, 2, 10**30])),
                    )
                )
            except BookcoreError:
                continue
        for _ in range(steps):
            who = data.draw(st.sampled_from(list(calendar.resources)))
            start, end = data.draw(st.none() | keys), data.draw(st.none() | keys)
            id = data.draw(st.none() | anything)
            try:
                match data.draw(st.sampled_from("bbbbhct")):
                    case "b":
                        more: Any = {"note": id} if data.draw(st.booleans()) else {}
                        calendar.book(who, start, end, id=id, **more)
                    case "h":
                        calendar.hold(who, start, end, until=data.draw(st.none() | st.integers(1, 10**20)))
                    case "c":
                        calendar.close(who, start, end, data.draw(TEXTS))
                    case _:
                        calendar.tag(who, id)
            except BookcoreError:
                continue
        before = told(calendar)
        path.unlink(missing_ok=True)
        try:
            calendar.snapshot(path)
        except SnapshotError as exc:
            assert not path.exists()
            assert isinstance(exc, SnapshotValueError)
            return
        found = Calendar.restore(path, clock=lambda: 0)
        found.check()
        assert told(found) == before

    check()
