"""What people do: they place, seat, confirm, cancel, and take tables out of service."""
