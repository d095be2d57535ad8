"""Real servers for our tests: found or started, and harnesses for the stores on them."""
