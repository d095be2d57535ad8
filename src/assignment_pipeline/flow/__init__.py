"""The sans-I/O heart: flows are generators that yield effects, and get their answers back."""
