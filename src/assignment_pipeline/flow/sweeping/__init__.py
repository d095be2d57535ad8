"""The sweep: it processes due bookings, and looks for changes that nobody has reported."""
