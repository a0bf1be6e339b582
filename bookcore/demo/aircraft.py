"""What is booked in the demo: aircraft by kind, and flights as bookings of them."""

from __future__ import annotations

from typing import Any

from bookcore.demo.flights import AircraftFacts, Rotation
from bookcore.model.event import BookingEvent
from bookcore.model.resource import Resource

__all__ = [
    "Airbus",
    "Aircraft",
    "Boeing",
    "Bombardier",
    "Crew",
    "Embraer",
    "Flight",
    "Helicopter",
    "Jet",
    "McDonnellDouglas",
    "Propeller",
    "make_aircraft",
]


class Aircraft(Resource):
    """An aircraft, known by its tail number. Of its own class only where the register does not know it.

    ``at`` is the airport where it was last seen before the day that is asked about, None if nowhere yet.
    """

    def __init__(self, facts: AircraftFacts) -> None:
        super().__init__(facts.tail)
        self.maker = facts.manufacturer
        self.model = facts.model
        self.year = facts.year
        self.seats = facts.seats
        self.at: str | None = None


class Jet(Aircraft):
    """Driven by turbofans or turbojets."""


class Airbus(Jet):
    """Made by Airbus."""


class Boeing(Jet):
    """Made by Boeing."""


class Bombardier(Jet):
    """Made by Bombardier or, before it bought the name, Canadair."""


class Embraer(Jet):
    """Made by Embraer."""


class McDonnellDouglas(Jet):
    """Made by McDonnell Douglas."""


class Propeller(Aircraft):
    """Driven by propellers, whatever turns them."""


class Helicopter(Aircraft):
    """Driven, and held up, by a rotor."""


_MAKERS: dict[str, type[Jet]] = {
    "AIRBUS": Airbus,
    "BOEING": Boeing,
    "BOMBARDIER": Bombardier,
    "CANADAIR": Bombardier,
    "EMBRAER": Embraer,
    "MCDONNELL": McDonnellDouglas,
}


def make_aircraft(facts: AircraftFacts) -> Aircraft:
    """Return the aircraft that *facts* describe, of the class that fits.

    >>> facts = AircraftFacts("N1", 1999, "Fixed wing", "AIRBUS", "A320-232", 2, 200, "Turbo-fan")
    >>> type(make_aircraft(facts)).__name__
    'Airbus'
    """
    if facts.type is None:
        return Aircraft(facts)
    if facts.type == "Rotorcraft":
        return Helicopter(facts)
    if facts.engine in ("Turbo-fan", "Turbo-jet"):
        first = (facts.manufacturer or "").split(" ")[0]
        return _MAKERS.get(first, Jet)(facts)
    return Propeller(facts)


class Crew(Resource):
    """Those who fly it."""


class Flight(BookingEvent):
    """A flight books its aircraft from gate to gate."""

    __slots__ = ("dest", "number", "origin")
    number: str
    origin: str
    dest: str

    @classmethod
    def of(cls, aircraft: Any, rotation: Rotation) -> Flight:
        """Return the booking of *aircraft* for one flight as it was flown."""
        flight = cls(aircraft, rotation.start, rotation.end, id=rotation.id)
        flight.number, flight.origin, flight.dest = rotation.flight, rotation.origin, rotation.dest
        return flight

    @property
    def route(self) -> str:
        """From where to where."""
        return f"{self.origin}-{self.dest}"
