"""The questions about a calendar. Nothing here changes it."""
