"""The default store: bookings in memory, with an index for each resource and one for all resources."""

from bookcore.stores.memory.store import MemoryStore

__all__ = ["MemoryStore"]
