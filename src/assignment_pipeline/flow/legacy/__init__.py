"""Beside the planner that the pipeline replaces: running it, handing over to it, taking over from it."""
