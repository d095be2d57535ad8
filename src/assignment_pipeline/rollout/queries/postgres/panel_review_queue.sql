-- The bookings that wait for a person now; and of those that were assigned, how many per cent went to one. An alert
-- fires above 20 %.
SELECT
    (SELECT waiting FROM {review}) AS "waiting",
    100.0 * sum(review) / nullif(sum(confirmed + review + failed + unsettled), 0) AS "share"
FROM {outcomes}
WHERE owner = 'pipeline'
