-- What found tables, by how often.
SELECT strategy, bookings
FROM {strategies}
ORDER BY 2 DESC
