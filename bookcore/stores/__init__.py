"""The stores, which keep the rows of bookings."""
