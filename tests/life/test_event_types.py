"""Which classes are refused as ``event_type``, because their bookings would not have the fields that they declare."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

import pytest

from bookcore import BookingEvent, Calendar, QueryError, Resource


class Forgotten(BookingEvent):
    """A class that was meant to be a dataclass."""

    guest: str
    price: int = 90


@dataclass(eq=False)
class Stay(BookingEvent):
    """A dataclass."""

    guest: str = ""


class Half(Stay):
    """A subclass that was meant to be one too."""

    nights: int = 1


@dataclass
class Compared(BookingEvent):
    """A dataclass whose events are compared by their fields, and so cannot be hashed."""

    guest: str = ""


class Whole(Stay):
    """A subclass without fields of its own."""

    KIND: ClassVar[str] = "stay"
    LEAST: Final = 1
    OTHER: typing.ClassVar[int] = 2
    _private: int = 0


class Own(BookingEvent):
    """A class with a constructor, which takes what it annotates."""

    guest: str

    def __init__(self, *args: Any, guest: str = "", **options: Any) -> None:
        super().__init__(*args, **options)
        self.guest = guest


class Below(Own):
    """Its constructor is that of the class above."""


REFUSED: dict[type[BookingEvent], str] = {
    Forgotten: r"guest, price of Forgotten: annotated, and no field; @dataclass\(eq=False\) makes it one",
    Half: r"nights of Half: annotated, and no field; @dataclass\(eq=False\)",
    Compared: r"cannot be hashed.*@dataclass\(eq=False\)",
}


@pytest.mark.parametrize("cls", REFUSED)
def test_a_class_whose_fields_would_be_lost_is_refused(cls: type[BookingEvent], tmp_path: Path) -> None:
    with pytest.raises(QueryError, match=REFUSED[cls]):
        Calendar(event_type=cls)
    with pytest.raises(QueryError, match=REFUSED[cls]):
        Calendar.open(tmp_path / "rooms", event_type=cls)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("cls", [Stay, Whole, Own, Below])
def test_a_class_that_takes_its_fields_is_none_of_them(cls: type[BookingEvent]) -> None:
    calendar = Calendar(event_type=cls)
    stay = calendar.book(calendar.add_resource(Resource("r")), 1, 2, guest="Ada")
    assert dict(stay.fields) == {"guest": "Ada"}
    assert stay in {stay}


def test_annotations_need_not_be_texts() -> None:
    """As in a module without the import from ``__future__``."""
    names: dict[str, Any] = {"BookingEvent": BookingEvent, "ClassVar": ClassVar}
    source = "class Stay(BookingEvent):\n    KIND: ClassVar[int] = 1\nclass Bad(BookingEvent):\n    guest: str\n"
    exec(compile(source, "program", "exec", dont_inherit=True), names)  # noqa: S102
    assert Calendar(event_type=names["Stay"]).event_type is names["Stay"]
    with pytest.raises(QueryError, match="guest of Bad"):
        Calendar(event_type=names["Bad"])
