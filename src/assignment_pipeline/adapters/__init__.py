"""Ports, implemented: each module imports what it needs, and nothing else imports that."""
