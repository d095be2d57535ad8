-- The confirmation rate of a day in stretches of five minutes.
SELECT
    strftime('%Y-%m-%d %H:', created_at) || printf('%02d', strftime('%M', created_at) / 5 * 5) AS time,
    100.0 * count(*) FILTER (WHERE status = 'confirmed') / count(*) AS confirmation_rate
FROM bookings
WHERE created_at > datetime('now', '-24 hours')
GROUP BY 1
ORDER BY 1;
