"""Which of the resources of several partitions `Calendar.book_any` takes, and why none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bookcore.model.errors import BookcoreError, ConflictError, NoneAvailableError, QueryError, blaming
from bookcore.model.typecheck import plain_text
from bookcore.persist.shared.partitioned.merging import PlaceOf
from bookcore.persist.shared.partitioned.selection import Found, PartitionedSelection
from bookcore.query.best_fit import gap_size, is_smaller
from bookcore.query.choice import SHOWN, Choice


def chosen(candidates: PartitionedSelection, strategy: Any, start: Any, end: Any, quantity: int) -> Found | None:
    """Return what a strategy takes of the candidates; None if there are none."""
    name = None if callable(strategy) else plain_text(strategy)
    available = candidates.found(1 if name == "first" else None)
    if not available or name == "first":
        return available[0] if available else None
    if name == "least_used":
        return min(available, key=lambda each: each.record.active_count)
    if name == "best_fit":
        return _tightest(available, start, end, quantity)
    with blaming(lambda exc: QueryError(strategy, f"the strategy raised {type(exc).__name__}"), BookcoreError):
        picked = strategy([each.record.resource for each in available])
    for each in available:
        if each.part.state.registry.find(picked) is each.record:
            return each
    raise QueryError(picked, "was returned by the strategy and is none of the candidates")


def _tightest(available: list[Found], start: Any, end: Any, quantity: int) -> Found:
    def size(each: Found) -> Any:
        state = each.part.state
        return state.gate.ask(False, gap_size, state.rules, each.record, *state.keys.admit(start, end), quantity)

    best, *others = [(each, size(each)) for each in available]
    for other in others:
        if is_smaller(other[1], best[1]):
            best = other
    return best[0]


def none_available(
    parts: Sequence[Any], terms: list[Any], start: Any, end: Any, quantity: int, place_of: PlaceOf
) -> NoneAvailableError:
    """Return the error for a choice among none, with the first refusals in order of registration."""
    asked = 0
    refused: list[ConflictError] = []
    for part, term in zip(parts, terms, strict=True):
        choice = Choice(part.calendar._planner, term, "first", part.calendar._engine.conflict)
        state = part.state
        error = state.gate.ask(False, choice.refusal, start, end, *state.keys.admit(start, end), quantity)
        asked += error.asked
        refused += error.refused
    places = [place_of(error.resource) for error in refused]
    first = [error for _, error in sorted(zip(places, refused, strict=True), key=lambda pair: pair[0])]
    return NoneAvailableError(start, end, quantity, asked, first[:SHOWN], bounds=parts[0].calendar.bounds)
