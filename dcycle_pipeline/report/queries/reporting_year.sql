-- The last calendar year with records that was over when the file was published; if there is none, the latest with records.
SELECT coalesce(max(year) FILTER (year < year_of_publication), max(year)) AS year
FROM summaries.emissions_by_organization_year, (SELECT year(max(published_at)) AS year_of_publication FROM sync.runs)
WHERE record_count > 0
