"""
A fleet of real processes on real servers, while these are killed, stopped, cut off and restarted.

POSIX only. `python -m assignment_pipeline.testing.torture` runs it.
"""
