"""Snapshots: a whole calendar in one file."""

from bookcore.persist.snapshot.format import Facts, Limits
from bookcore.persist.snapshot.save_load import load, save

__all__ = ["Facts", "Limits", "load", "save"]
