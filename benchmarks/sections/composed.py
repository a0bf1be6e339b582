"""A composed question (a type, a range, two tags, availability) against availability alone."""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.data import Dataset, make, windows
from benchmarks.ours import Ours
from benchmarks.rows import at_most, under
from benchmarks.timing import Contestant
from bookcore import Resource, no

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.context import Run

__all__ = ["Composed", "measure"]


class Flat(Resource):
    """One kind of resource."""


class Car(Resource):
    """The other kind."""


class Composed:
    """Flats and cars with prices and tags, on the plain year."""

    def __init__(self, data: Dataset) -> None:
        self.data, self.ours = data, Ours()
        rng = random.Random(29)
        self.price = [rng.randrange(30, 300) for _ in range(data.resources)]
        self.exact = [price + rng.random() for price in self.price]  # every value another
        self.ours.register(data, lambda ordinal: (Car if ordinal % 2 else Flat)(ordinal))
        calendar = self.calendar = self.ours.calendar
        calendar.load(self.ours.events(data, data.rows))
        calendar.create_index("price", key=lambda resource: self.price[resource.id])
        calendar.create_index("exact", key=lambda resource: self.exact[resource.id])
        self.tagged: dict[str, set[int]] = {}
        for label, share in (("sea", 0.3), ("lake", 0.2)):
            self.tagged[label] = {ordinal for ordinal in range(data.resources) if rng.random() < share}
            for ordinal in self.tagged[label]:
                calendar.tag(self.ours.resource(ordinal), label)
        self.spans = [self.ours.window(span) for span in windows(data, 61)]

    def plain(self, start: Any, end: Any) -> Any:
        """Availability alone."""
        return self.calendar.find_available(start, end)

    def composed(self, start: Any, end: Any, index: str = "price") -> Any:
        """Flats from 50 to 120 by the sea or a lake that are available."""
        calendar = self.calendar
        return calendar.find(
            Flat,
            calendar.index(index).between(50, 120),
            [calendar.tagged("sea"), calendar.tagged("lake")],
            no(calendar.find_booked(start, end)),
        )

    def check(self) -> None:
        """Compare two composed answers with a plain loop."""
        either = self.tagged["sea"] | self.tagged["lake"]
        for span in windows(self.data, 2, seed=31):
            booked = {ordinal for ordinal, start, end in self.data.rows if start < span[1] and end > span[0]}
            for index, price in (("price", self.price), ("exact", self.exact)):
                free = (
                    ordinal for ordinal in range(0, self.data.resources, 2) if ordinal not in booked and ordinal in either
                )
                want = [ordinal for ordinal in free if 50 <= price[ordinal] <= 120]
                found = [flat.id for flat in self.composed(*self.ours.window(span), index)]
                if found != want:
                    raise AssertionError(
                        f"composed find over {span} differs: {len(found)} found, {len(want)} wanted"
                    )

    def entry(self, what: str, how: str) -> Contestant:
        """Return the contestant for *what* ("plain", "composed", "composed, float index"), asked *how*."""
        ways: dict[str, Callable[..., Any]] = {
            "plain": self.plain,
            "composed": self.composed,
            "composed, float index": partial(self.composed, index="exact"),
        }
        asked = ways[what]
        answer: Any = {"count": len, "list": list, "first": lambda found: found.first(10)}[how]
        return Contestant(what, lambda start, end: answer(asked(start, end)), self.spans)


def measure(run: Run) -> None:
    """Count, list and first ten of the composed question against the plain one."""
    n, m = run.size
    run.say("building calendars of flats and cars")
    bench = Composed(make(n, m, spare=False))
    bench.check()
    title = f"Composed questions, {n:,} x {m:,}: a type, a range, two tags and availability"
    for how in ("count", "list", "first"):
        what = ("plain", "composed", "composed, float index")
        found = run.race(how, [bench.entry(name, how) for name in what])
        for name in what[1:]:
            times = 2 if name == "composed" and how != "first" else None
            if how == "first":
                row = under(title, f"{how}: {name}", found[name], None, note="")
            else:
                row = at_most(title, f"{how}: {name}", found[name], "plain", found["plain"], times)
            run.add(row)
