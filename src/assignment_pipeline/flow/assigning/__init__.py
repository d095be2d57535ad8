"""From a booking to its tables."""
