"""From a decision to what the store has."""
