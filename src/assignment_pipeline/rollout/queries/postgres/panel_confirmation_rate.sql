-- Of the bookings that were assigned, how many per cent had tables five minutes later; and the same for what legacy
-- answered. Neither what guests withdrew counts, nor what is proved to fit nowhere. An alert fires below 90 %.
SELECT {time}, owner AS metric, 100.0 * sum(confirmed) / sum(confirmed + review + failed + unsettled) AS "confirmed"
FROM {outcomes}
WHERE confirmed + review + failed + unsettled > 0
GROUP BY 1, 2
ORDER BY 1, 2
