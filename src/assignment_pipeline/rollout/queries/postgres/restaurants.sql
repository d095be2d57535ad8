-- The restaurants to choose from: the thousand with the lowest ids of those that the pipeline has records of.
SELECT DISTINCT restaurant_id
FROM assignment_pipeline.assignment_records
WHERE restaurant_id <> ''
ORDER BY restaurant_id
LIMIT 1000
