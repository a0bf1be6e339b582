"""How fast, how big, how it grows: bookcore beside what one would use instead, on the same data."""
