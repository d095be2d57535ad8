"""Pure planning: a request and who sits where in, the best tables and the reasons out."""
