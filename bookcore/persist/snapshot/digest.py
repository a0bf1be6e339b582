"""A hash of a calendar's state: equal for calendars with equal answers."""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b
from operator import itemgetter

from bookcore.engine.state import CalendarState
from bookcore.persist.codec.columns import KeyColumn, encode_column
from bookcore.persist.codec.family import apart
from bookcore.persist.snapshot.gather import gather
from bookcore.persist.snapshot.save_load import translated_write_errors
from bookcore.persist.snapshot.state import Bookings, State, Tags, encode_state


def digest(calendar: CalendarState) -> str:
    """See `Calendar.digest`."""
    name = "digest"
    with translated_write_errors(name):
        state = gather(calendar, name)
        state.expired = type(state.expired)()  # expired holds decide no answer about the present
        # nor does the order in which labels were first used
        labels = zip(state.tags.members, state.tags.labels, strict=True)
        tags = sorted(((members, encode_column([label]), label) for members, label in labels), key=itemgetter(0, 1))
        _list_apart(state)
        state.tags = Tags([label for _, _, label in tags], [members for members, _, _ in tags])
        with apart():  # whether equal values are one object depends on their origin: a literal, or records
            sections = encode_state(state)
    hashed = blake2b(digest_size=32, person=b"bookcore.digest")
    for section in sections:
        for column in section:
            hashed.update(len(column).to_bytes(8, "little"))
            hashed.update(column)
    return hashed.hexdigest()


def _list_apart(state: State) -> None:
    """Give each closure rows of its own for the released bookings that it lists.

    Two closures may list one object, or, read from records, two equal objects. That decides no answer.
    """
    rows, first, order = state.released, len(state.bookings.ids), list[int]()

    def place_of(place: int) -> int:
        if place < first:
            return place
        order.append(place - first)
        return first + len(order) - 1

    overlapping = [list(map(place_of, listed)) for listed in state.closures.overlapping]
    if not order:
        return
    state.closures = replace(state.closures, overlapping=overlapping)
    keys, count = rows.keys.values, len(rows.ids)
    state.released = Bookings(
        [rows.ids[at] for at in order],
        [rows.kinds[at] for at in order],
        [rows.resources[at] for at in order],
        KeyColumn([keys[at] for at in order] + [keys[count + at] for at in order]),
        [rows.quantities[at] for at in order],
        [rows.fields[at] and dict(rows.fields[at]) for at in order],  # an object that is listed twice would be written once
    )
