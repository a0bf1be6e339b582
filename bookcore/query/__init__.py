"""The one reader: what is asked of a calendar."""
