"""Columns of values to bytes and back: what snapshots are written in."""
