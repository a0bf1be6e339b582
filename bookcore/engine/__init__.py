"""The one writer: what changes a calendar."""
