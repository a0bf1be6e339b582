"""Where bookings live: one file per backend."""
