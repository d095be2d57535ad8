"""The commands that show what the shadow found, and run past days again."""
