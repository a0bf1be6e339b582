"""What bookcore asks of a resource, a service, a store and a clock, under the module name that programs import."""

from bookcore.stores.protocol import (
    BookableResource,
    BookingService,
    BookingStore,
    Clock,
    SupportsAvailability,
    SupportsLoad,
)

__all__ = [
    "BookableResource",
    "BookingService",
    "BookingStore",
    "Clock",
    "SupportsAvailability",
    "SupportsLoad",
]
