"""The default store: bookings in memory, indexed by resource and over the axis."""

from bookcore.stores.memory.store import MemoryStore

__all__ = ["MemoryStore"]
