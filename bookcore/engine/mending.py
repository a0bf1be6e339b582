"""`Mending`: undoes a change that was cut off half-way, before the next call.

    Ctrl-C in the midst of a change      ->  ``gate.torn``
    the next call                        ->  `settle`: the change is undone in the registers,
                                             all indexes are built anew from these, and everything is checked
    that fails (keys, lack of memory)    ->  `CalendarBrokenError`, until `rebuild` succeeds

The registers are the ledger, the rows that the store has for each resource, the closures by id, the records of resources,
and the holds by number. A row that is not in the ledger is dropped.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from bookcore.engine.gate import CHANGING, Block
from bookcore.engine.log import this_thread
from bookcore.engine.state import CalendarState
from bookcore.model import change as changes
from bookcore.model.change import inverse
from bookcore.model.errors import LACKING, CalendarBrokenError, TransactionError
from bookcore.stores.record import unbind


class Mending:
    """Mends one calendar. `Gate` calls `settle` and `undo`."""

    __slots__ = ("_broken", "_state")

    def __init__(self, state: CalendarState) -> None:
        self._state = state
        self._broken: str | None = None  # why the calendar could not be mended
        state.gate.settle, state.gate.undo = self.settle, self.undo

    def settle(self) -> None:
        """Mend what a cut-off change has left, or raise `CalendarBrokenError`. The lock is held for writing.

        Complexity: O(m log m).
        """
        state = self._state
        gate, mode = state.gate, state.gate.mode
        if self._broken is not None and this_thread.rebuilds is not self:
            raise CalendarBrokenError(self._broken)
        gate.mode = CHANGING
        try:
            self._mend()
            state.check_parts()
        except LACKING:  # the next call tries again
            raise
        except Exception as exc:
            self._broken = f"a change was cut off and could not be mended ({type(exc).__name__}: {exc})"
            raise CalendarBrokenError(self._broken) from exc
        finally:
            gate.mode = mode
        self._broken = None
        gate.torn = False
        state.watch()

    def undo(self, block: Block) -> None:
        """Undo a block that is lost. The lock is held. Raises: `CalendarBrokenError` when that fails."""
        state = self._state
        gate, mode = state.gate, state.gate.mode
        gate.mode, gate.stamp = CHANGING, None
        gate.version += 1
        try:
            if not block.marks:  # it was kept, and cut off before its end
                block.marks.append(state.mark())
            state.end(block, block.marks[0], False)
        except TransactionError as exc:
            self._broken = f"a change could not be undone ({exc.__cause__})"
            gate.torn = gate.waiting = True
            raise CalendarBrokenError(self._broken) from exc
        finally:
            gate.mode = mode

    def rebuild(self) -> None:
        """See `Calendar.rebuild`."""
        before, this_thread.rebuilds = this_thread.rebuilds, self  # so that `settle` tries again what has failed
        try:
            self._state.gate.run(self._rebuild)
        finally:
            this_thread.rebuilds = before

    def _rebuild(self) -> None:
        """Mend the calendar, whether a change was cut off or not. The lock is held for writing: the call was not refused."""
        gate = self._state.gate
        gate.torn = gate.waiting = True
        self.settle()

    def _mend(self) -> None:
        """Undo the change that was being applied, and build the indexes anew. It may be called again after an exception."""
        state = self._state
        change, registry, ledger, holds, store = state.change, state.registry, state.ledger, state.holds, state.store
        taken_out = self._undo_change()
        state.log.forget(change)
        records = list(registry.by_id.values())
        resizing, owners = state.resizing, ledger.owners
        resized = None if resizing is None else resizing[0]
        if state.repairable is not None:
            state.repairable.repair(
                records, lambda record, seq: record is not resized and owners.get(seq) == record.number
            )
        else:  # then each of its calls changes all or nothing
            for record in records:
                for row in store.overlapping(record, None, None):
                    if record is resized or owners.get(row[2]) != record.number:
                        store.remove(record, *row[:3])
        if resizing is not None:
            record, capacity, crowded, rows = resizing
            state.resize(record, capacity, crowded, rows)
        ledger.repair()
        state.booking_indexes.repair(ledger.owners.__contains__)
        registry.repair(None)
        state.hours.repair(records)
        state.closures.repair(records, state.record_of_resource)
        state.buffers.repair(records)
        for seq in list(holds.until):
            if seq in ledger.owners:
                holds.forget(ledger.id_of(seq))
            else:
                holds.until.pop(seq)
        holds.repair()
        for record in records:
            record.active_count = len(store.overlapping(record, None, None))
        if change is not None or state.loading:
            state.undo_numbers(*state.counted)
        for change_back in taken_out:
            state.apply(change_back)
        state.set_whole()
        state.begun = False
        state.resizing = None
        state.change, state.loading = None, ()  # only now: if a comparison failed before, the next call does all this again

    def _undo_change(self) -> list[changes.Change]:
        """Undo the change that was being applied in the registers; return the changes to apply when the indexes are right.

        A booking that was being removed or moved, and a resource that was being removed, are taken out and put back.
        """
        state = self._state
        change, registry, holds = state.change, state.registry, state.holds
        for seq in state.loading:
            self._discard(seq)
        match change:
            case changes.Booked(event):
                self._discard(change.number or event._seq)
            case changes.Released(event):
                self._discard(event._seq)
                return [changes.Booked(event, change.held, change.until, indexed=state.indexed)]
            case changes.Moved(before) | changes.Changed(before):
                number: Any = before._seq
                self._discard(number)
                held, until = number in holds.until, holds.until.get(number)
                return [changes.Booked(before, held, until, indexed=state.indexed)]
            case changes.Closed(closure):
                state.closures.by_id.pop(closure.id, None)
            case changes.Reopened(closure):
                state.closures.by_id[closure.id] = closure
            case changes.ResourceAdded() | changes.ResourceRemoved():
                known = [*registry.by_id.values(), *registry.in_order()]
                for record in {record.number: record for record in known if record.id == change.id}.values():
                    registry.repair(record.number)
                    registry.remove(record)
                    unbind(record)
                    if state.repairable is None:
                        with suppress(Exception):  # it may not have come to the store
                            state.store.remove_resource(record)
                if isinstance(change, changes.ResourceRemoved):
                    return [inverse(change)]
            case changes.Confirmed(event):
                confirmed: Any = event._seq
                holds.until[confirmed] = change.until
            case changes.Held(event):
                holds.until.pop(event._seq, None)  # type: ignore[arg-type]  # it is booked
            case changes.Extended(event):
                extended: Any = event._seq
                holds.until[extended] = change.before
            case changes.HoursSet(resource):
                state.record_of_resource(resource).hours = change.before
            case changes.CapacitySet() if state.resizing is not None:
                record = state.resizing[0]
                if state.repairable is None:
                    with suppress(Exception):  # it may be in the store
                        state.store.add_resource(record)
            case changes.CapacitySet():  # it was complete, and could not be noted
                return [inverse(change)]
            case changes.Tagged(resource, label):
                registry.untag(state.record_of_resource(resource), label)
            case changes.Untagged(resource, label):
                registry.tag(state.record_of_resource(resource), label)
            case changes.IndexCreated(name):
                state.indexes_of(change).by_name.pop(name, None)
            case changes.Reindexed(resource):
                record = state.record_of_resource(resource)
                registry.repair(record.number)
                registry.put_back(record, change.before)
            case changes.IndexDropped() | None:  # an index is dropped in one step
                pass
            case _:
                raise NotImplementedError(f"{type(change).__name__} cannot be undone when it was cut off")
        return []

    def _discard(self, seq: Any) -> None:
        """Take a booking off the ledger, if it is in it."""
        owners = self._state.ledger.owners
        if seq in owners:
            owners.pop(seq)
