"""
A fleet of real processes on real servers, while these are killed, stopped, cut off and restarted.

POSIX only. `python -m tests.torture` runs it.
"""
