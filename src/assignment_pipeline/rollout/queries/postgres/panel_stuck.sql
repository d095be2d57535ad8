-- Bookings that the sweep should have taken up five minutes ago or earlier. Anything but none: it is not running.
SELECT stuck
FROM {overdue}
