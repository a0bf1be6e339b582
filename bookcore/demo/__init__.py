"""`bookcore demo`: a year of real aircraft rotations, booked, questioned and shown in the terminal."""
