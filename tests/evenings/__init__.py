"""An evening of 200 bookings and 60 walk-ins, drawn from a seed, and an independent reading of what is kept of it."""
