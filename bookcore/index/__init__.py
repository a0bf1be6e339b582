"""Interval indexes over keys and small numbers, without a word about bookings; each can be used by itself."""
