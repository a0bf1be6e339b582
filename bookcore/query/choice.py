"""The strategies of `Calendar.book_any`, which choose a resource out of several."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from bookcore.index.bitmap import ordinals
from bookcore.model.errors import BookcoreError, ConflictError, NoneAvailableError, QueryError, blaming
from bookcore.model.generic import Id, R
from bookcore.model.term import And, Available, Term, as_term
from bookcore.model.typecheck import is_a, plain_text
from bookcore.query.best_fit import tightest
from bookcore.query.planner import Planner
from bookcore.query.selection import Selection
from bookcore.stores.record import ResourceRecord

Strategy: TypeAlias = Literal["first", "best_fit", "least_used"] | Callable[[list[R]], R | Id]
"""``"first"``, ``"best_fit"``, ``"least_used"``, or a function that takes the candidates and returns one of them."""

STRATEGIES = ("first", "best_fit", "least_used")

SHOWN = 3
"""The number of resources for which a `NoneAvailableError` names the causes."""


class Choice:
    """One choice among the resources of a selection, by a strategy. The calendar's lock is held meanwhile."""

    __slots__ = ("_conflict", "_order", "_planner", "_strategy", "_term")

    def __init__(
        self, planner: Planner, selection: Any, strategy: Strategy[Any], conflict: Callable[..., ConflictError]
    ) -> None:
        name = plain_text(strategy)
        if not callable(strategy) and name not in STRATEGIES:
            raise QueryError(strategy, f"a strategy is one of {', '.join(STRATEGIES)}, or a function of the candidates")
        self._planner, self._conflict = planner, conflict
        self._strategy: Any = strategy if callable(strategy) else name
        self._term: Term = as_term(selection, planner.state.home)
        self._order = selection._order if is_a(selection, Selection) else None

    def choose(self, start: Any, end: Any, low: Any, high: Any, quantity: int) -> ResourceRecord | None:
        """See `Chooser.choose`."""
        question = And((self._term, Available(start, end, quantity)))
        if self._strategy == "first":
            return next(iter(self._planner.select(question, self._order, 1, "records")), None)
        records = self._planner.select(question, self._order, None, "records")
        if callable(self._strategy):
            return self._picked(records)
        if self._strategy == "best_fit":
            return tightest(self._planner.state.rules, records, low, high, quantity)
        return min(records, key=lambda record: record.active_count, default=None)

    def _picked(self, records: list[ResourceRecord]) -> ResourceRecord | None:
        """Return the candidate that the caller's function picks; without candidates it is not called."""
        if not records:
            return None
        with blaming(lambda exc: QueryError(self._strategy, f"the strategy raised {type(exc).__name__}"), BookcoreError):
            chosen = self._strategy([record.resource for record in records])
        picked = self._planner.state.registry.find(chosen)
        if picked not in records:
            raise QueryError(chosen, "was returned by the strategy and is none of the candidates")
        return picked

    def refusal(self, start: Any, end: Any, low: Any, high: Any, quantity: int) -> NoneAvailableError:
        """Return the error with the number of resources that matched, and the causes for the first few of them."""
        state = self._planner.state
        matched = self._planner.evaluate(self._term, state.registry.everything.value())
        refused: list[ConflictError] = []
        for number in ordinals(matched):
            if len(refused) == SHOWN:
                break
            refused.append(self._conflict(state.registry.by_number[number], low, high, start, end, quantity))
        return NoneAvailableError(start, end, quantity, matched.bit_count(), refused, bounds=state.bounds)
