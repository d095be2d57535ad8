"""How good the planner's evenings are: covers against a proved bound, on evenings drawn from a seed."""
