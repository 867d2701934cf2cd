-- The last calendar year with records that was over when the file was published; if there is none, the latest with records.
-- is_open: that year was not over; first_month and last_month are those with a record.
WITH chosen AS (
    SELECT coalesce(max(year) FILTER (year < year_of_publication), max(year)) AS year
    FROM summaries.emissions_by_organization_year, (SELECT year(max(published_at)) AS year_of_publication FROM sync.runs)
    WHERE record_count > 0
)
SELECT c.year, h.first_month, h.last_month, coalesce(h.is_open, false) AS is_open
FROM chosen AS c LEFT JOIN ($years_held) AS h USING (year)
