-- Why bookings went to a person.
SELECT reason, bookings
FROM {reasons}
ORDER BY 2 DESC
