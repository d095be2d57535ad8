"""A day: read from a file, run, and shown."""
