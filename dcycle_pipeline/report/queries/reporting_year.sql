-- The last calendar year that was over when the file was published, of those with a record in December or over for half a year:
-- the bills of its last months come later. Without such a year, the last that was over, and then the latest with records.
-- is_open: that year was not over; first_month and last_month are those with a record.
WITH held AS ($years_held), chosen AS (
    SELECT coalesce(
        max(year) FILTER (year < year(day) AND (month(last_month) = 12 OR day >= make_date(year + 1, 7, 1))),
        max(year) FILTER (year < year(day)),
        max(year)
    ) AS year
    FROM summaries.emissions_by_organization_year LEFT JOIN held USING (year), (SELECT max(published_at)::DATE AS day FROM sync.runs)
    WHERE record_count > 0
)
SELECT c.year, h.first_month, h.last_month, coalesce(h.is_open, false) AS is_open
FROM chosen AS c LEFT JOIN held AS h USING (year)
