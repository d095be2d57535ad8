"""The rollout as one page to look at."""
