"""bookcore: what is booked, what is free, and may I have it?

An exact, pure-Python, in-memory booking engine for anything bookable. Spans are half-open, ``[start, end)``.

>>> from bookcore import Calendar, Resource
>>> calendar = Calendar()
>>> flat = calendar.add_resource(Resource("flat"))
>>> _ = calendar.book(flat, 1, 5)
>>> calendar.is_available(flat, 5, 8)
True
"""

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
from bookcore.query.selection import IndexView, Selection
from bookcore.stores.memory.store import MemoryStore
from bookcore.stores.protocol import (
    BookableResource,
    BookingService,
    BookingStore,
    SupportsAvailability,
    SupportsLoad,
)

__version__ = "0.1.0"

__all__ = [
    "AssignmentError",
    "BookableResource",
    "BookcoreError",
    "BookingEvent",
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
    "State",
    "Status",
    "StoreError",
    "SupportsAvailability",
    "SupportsLoad",
    "TransactionError",
    "UnknownBookingError",
    "UnknownClosureError",
    "UnknownResourceError",
    "no",
]
