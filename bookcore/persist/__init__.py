"""Calendars on disk: snapshot files. `snapshot` has the two calls; `registry` lets them carry a user's own keys."""
