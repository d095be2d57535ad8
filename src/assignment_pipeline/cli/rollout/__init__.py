"""The commands that move a rollout, watch it and show how it does."""
