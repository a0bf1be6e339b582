"""Columns of plain values as bytes: the encoding inside the sections of a snapshot."""
