"""Calendars on disk. `snapshot` writes and reads files; `registry` lets these hold keys of a user's own classes."""
