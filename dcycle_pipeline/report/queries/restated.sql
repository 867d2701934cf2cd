-- By how much the figures of the year have changed since each of its months was first published, over all causes.
SELECT count(DISTINCT published_at) AS publication_count, sum(co2e_kg) AS co2e_kg, count(DISTINCT facility_id) AS facility_count
FROM summaries.restatements
WHERE year(month) = $year
HAVING count(*) > 0
