"""bookcore: what is booked, what is free, and may I have it?

An exact, pure-Python, in-memory booking engine for anything bookable. Spans are half-open, ``[start, end)``.

>>> from bookcore import Calendar, Resource
>>> calendar = Calendar()
>>> flat = calendar.add_resource(Resource("flat"))
>>> _ = calendar.book(flat, 1, 5)
>>> calendar.is_available(flat, 5, 8)
True

The names of opening hours, recurrence, tables and of the other stores are loaded when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from bookcore.calendar import Calendar
from bookcore.errors import (
    AssignmentError,
    BookcoreError,
    CalendarBrokenError,
    CalendarFileError,
    ConflictError,
    DuplicateBookingError,
    DuplicateResourceError,
    FieldError,
    HoldExpiredError,
    HoursError,
    IndexNameError,
    InvalidKeyError,
    InvalidQuantityError,
    InvalidSpanError,
    KeyTypeError,
    MissingExtraError,
    NoneAvailableError,
    QueryError,
    RecursiveCallError,
    ResourceError,
    ResourceInUseError,
    SnapshotError,
    StoreError,
    TransactionError,
    UnknownBookingError,
    UnknownClosureError,
    UnknownResourceError,
)
from bookcore.model.closure import Closure
from bookcore.model.event import BookingEvent, Status
from bookcore.model.explanation import Cause, CauseKind, Explanation, State
from bookcore.model.report import Refusal, Report
from bookcore.model.resource import Resource
from bookcore.model.term import no
from bookcore.query.booking_view import BookingIndexView
from bookcore.query.selection import IndexView, Selection
from bookcore.stores.memory.store import MemoryStore
from bookcore.stores.protocol import (
    BookableResource,
    BookingService,
    BookingStore,
    SupportsAvailability,
    SupportsLoad,
)

if TYPE_CHECKING:
    from bookcore.hours import Hours
    from bookcore.integrations.asynchronous import AsyncCalendar
    from bookcore.integrations.ical import read_ics, write_ics
    from bookcore.persist.copying import copy_calendar
    from bookcore.recurrence import recurring
    from bookcore.stores.sorted import SortedStore
    from bookcore.stores.tree import TreeStore
    from bookcore.tables import BadRow, fill, read_csv
else:  # hidden from type checkers, for which it would make every misspelled name an ``Any``
    _LATER = {
        "AsyncCalendar": "bookcore.integrations.asynchronous",
        "BadRow": "bookcore.tables",
        "Hours": "bookcore.hours",
        "SortedStore": "bookcore.stores.sorted",
        "TreeStore": "bookcore.stores.tree",
        "copy_calendar": "bookcore.persist.copying",
        "fill": "bookcore.tables",
        "read_csv": "bookcore.tables",
        "read_ics": "bookcore.integrations.ical",
        "recurring": "bookcore.recurrence",
        "write_ics": "bookcore.integrations.ical",
    }

    def __getattr__(name):
        """Load one of these names from its module, once."""
        if name not in _LATER:
            raise AttributeError(f"module 'bookcore' has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_LATER[name]), name)
        return value

    def __dir__():
        return sorted({*globals(), *_LATER})


__version__ = "0.1.0"

__all__ = [
    "AssignmentError",
    "AsyncCalendar",
    "BadRow",
    "BookableResource",
    "BookcoreError",
    "BookingEvent",
    "BookingIndexView",
    "BookingService",
    "BookingStore",
    "Calendar",
    "CalendarBrokenError",
    "CalendarFileError",
    "Cause",
    "CauseKind",
    "Closure",
    "ConflictError",
    "DuplicateBookingError",
    "DuplicateResourceError",
    "Explanation",
    "FieldError",
    "HoldExpiredError",
    "Hours",
    "HoursError",
    "IndexNameError",
    "IndexView",
    "InvalidKeyError",
    "InvalidQuantityError",
    "InvalidSpanError",
    "KeyTypeError",
    "MemoryStore",
    "MissingExtraError",
    "NoneAvailableError",
    "QueryError",
    "RecursiveCallError",
    "Refusal",
    "Report",
    "Resource",
    "ResourceError",
    "ResourceInUseError",
    "Selection",
    "SnapshotError",
    "SortedStore",
    "State",
    "Status",
    "StoreError",
    "SupportsAvailability",
    "SupportsLoad",
    "TransactionError",
    "TreeStore",
    "UnknownBookingError",
    "UnknownClosureError",
    "UnknownResourceError",
    "copy_calendar",
    "fill",
    "no",
    "read_csv",
    "read_ics",
    "recurring",
    "write_ics",
]
