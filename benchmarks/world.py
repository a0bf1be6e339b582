"""A data set with every contestant loaded on it, and the operations they are raced at.

Each operation is written once, here; ``benchmarks.run`` races the contestants at it and the ``bench_*``
files hand them to pytest-benchmark. ``agree`` compares every contestant's answers with ours before anything
is timed.
"""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.data import Dataset, windows
from benchmarks.ours import Ours
from benchmarks.peers import PEERS, MissingError, peer
from benchmarks.timing import Contestant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["OPERATIONS", "TOO_MANY", "DisagreementError", "World", "operation"]

OPERATIONS = ("count", "list", "first", "is_available", "is_available, warm", "book", "remove")

#: bookings beyond which a peer is left out, since one answer of it takes seconds, or its building minutes
TOO_MANY = {
    "intervaltree, one tree": 1_000_000,
    "two sorted maps": 1_000_000,
    "intervaltree": 10_000_000,
}


class DisagreementError(AssertionError):
    """A contestant gave another answer than bookcore. Nothing is timed until that is settled."""


def _silent(_: str) -> None:
    return None


class World:
    """One data set with every contestant loaded; those that cannot be had are in ``missing``, with the reason."""

    def __init__(
        self,
        data: Dataset,
        names: Iterable[str] | None = None,
        *,
        tree: bool = False,
        say: Callable[[str], None] = _silent,
    ) -> None:
        self.data = data
        self.missing: dict[str, str] = {}
        self.contestants: list[Any] = []
        builders: list[tuple[str, Callable[[], Any]]] = [("bookcore", Ours)]
        if tree:
            builders.append(("bookcore, tree store", partial(Ours, "tree")))
        builders.extend((name, partial(peer, name)) for name in (PEERS if names is None else names))
        spans = windows(data, 8)
        for name, build in builders:
            if len(data) > TOO_MANY.get(name, len(data)):
                self.missing[name] = f"{len(data):,} bookings are too many for it: minutes to build or to ask"
                continue
            try:
                one = build()
            except MissingError as exc:
                self.missing[name] = str(exc)
                continue
            say(f"loading {name} with {len(data):,} bookings")
            one.load(data)
            if hasattr(one, "tune"):
                say(f"choosing the fastest SQL for {name}")
                one.tune(spans, list(data.spare)[:2000])
            self.contestants.append(one)

    def __getitem__(self, name: str) -> Any:
        for one in self.contestants:
            if one.name == name:
                return one
        raise MissingError(self.missing.get(name, f"{name} was not asked for"))

    def agree(self) -> int:
        """Compare answers with the first contestant's (ours); return how many were compared.

        Counts and lists over three windows, ``is_available`` on 200 resources and spans.
        """
        compared = 0
        for span in windows(self.data, 3, seed=11):
            seen: tuple[str, list[int]] | None = None
            for one in self.contestants:
                if "list" not in one.does:
                    continue
                found = sorted(one.ordinals(one.list_available(*one.window(span))))
                if one.count_available(*one.window(span)) != len(found):
                    raise DisagreementError(f"{one.name}: count and list differ over {span}")
                if seen is not None and found != seen[1]:
                    raise DisagreementError(
                        f"{one.name} and {seen[0]} differ over {span}: {len(found)}, {len(seen[1])}"
                    )
                seen = seen or (one.name, found)
                compared += 1
        askers = [one for one in self.contestants if "is_available" in one.does]
        rng = random.Random(12)
        limit = min([self.data.resources, *(getattr(one, "only", self.data.resources) for one in askers)])
        for span in windows(self.data, 200, length=max(1, self.data.week // 4), seed=13):
            ordinal = rng.randrange(limit)
            answers = {
                one.name: bool(one.is_available(one.resource(ordinal), *one.window(span))) for one in askers
            }
            if len(set(answers.values())) > 1:
                raise DisagreementError(f"resource {ordinal} over {span}: {answers}")
            compared += len(answers)
        return compared

    def race_at(self, name: str) -> list[Contestant]:
        """Return the contestants able to do the operation *name*."""
        able = [one for one in self.contestants if name.partition(",")[0] in one.does]
        return [operation(name, one, self.data) for one in able]


def operation(name: str, one: Any, data: Dataset) -> Contestant:
    """Make *one*'s entry in the race *name*: which call, over which arguments, undone how."""
    if name in ("count", "list", "first"):
        call = getattr(one, f"{name}_available")
        return Contestant(one.name, call, [one.window(span) for span in windows(data, 61)])
    if name.startswith("is_available"):
        # 5,000 questions about as many resources, more than a processor's caches hold; or 200 over and over
        rng = random.Random(17)
        limit = min(data.resources, getattr(one, "only", data.resources))
        asked = 200 if name.endswith("warm") else 5000
        spans = windows(data, asked, length=max(1, data.week // 4), seed=19)
        singles = [(one.resource(rng.randrange(limit)), *one.window(span)) for span in spans]
        return Contestant(one.name, one.is_available, singles)
    limit = getattr(one, "only", data.resources)
    fits = [(one.resource(ordinal), *one.window((start, end))) for ordinal, start, end in data.spare if ordinal < limit]
    if not fits:
        raise MissingError(f"{data.name} holds nothing back to book")
    book, remove = one.book, one.remove
    if name == "book":

        def unbook(made: list[Any]) -> None:
            for handle in made:
                if handle is None:
                    raise DisagreementError(f"{one.name} refused a booking that fits")
                remove(handle)

        return Contestant(one.name, book, fits, unbook)
    if name == "remove":
        # every fitting booking is made first; removing is timed, booking them again is the undoing
        booked = {number: book(*args) for number, args in enumerate(fits[:2000])}

        def take(number: int) -> int:
            remove(booked[number])
            return number

        def put_back(numbers: list[int]) -> None:
            for number in numbers:
                booked[number] = book(*fits[number])

        def clear() -> None:
            for handle in booked.values():
                remove(handle)

        return Contestant(one.name, take, [(number,) for number in booked], put_back, clear)
    raise KeyError(name)
