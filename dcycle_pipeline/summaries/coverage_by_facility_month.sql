-- The calendar of each facility: every month that it owes, how many of its days are covered, and how many more than once.
WITH spans AS (
    SELECT organization_id, facility_id, min(year(month)) AS first_year, max(year(month)) AS last_year
    FROM summaries.emissions_by_facility_month
    GROUP BY organization_id, facility_id
), years AS (
    SELECT DISTINCT organization_id, year(month) AS year
    FROM summaries.emissions_by_facility_month
), begun AS (
    -- The last year in which a record begins. So if somebody mistypes an end as 2205, no other facility owes all years up to it.
    SELECT organization_id, max(year(start_date)) AS last_year
    FROM summaries.counted_records
    WHERE is_counted(status, start_date, end_date)
    GROUP BY organization_id
), due AS (
    -- Whole years, because only whole years are compared. A facility that is still active goes on owing.
    SELECT organization_id, facility_id, make_date(years.year, unnest(range(1, 13)), 1) AS month
    FROM spans
    JOIN years USING (organization_id)
    JOIN begun USING (organization_id)
    LEFT JOIN dcycle.facilities AS facilities USING (organization_id, facility_id)
    WHERE years.year >= spans.first_year
        AND (years.year <= spans.last_year OR (facilities.status = 'active' AND years.year <= begun.last_year))
), doubled AS (
    SELECT organization_id, facility_id, month, sum(day_count(greatest(first_date, month), least(last_date, last_day(month)))) AS days
    FROM (SELECT *, unnest(months_touched(first_date, last_date)) AS month FROM summaries.coverage_gaps WHERE kind = 'overlap')
    GROUP BY organization_id, facility_id, month
)
SELECT organization_id, facility_id, month,
    coalesce(emissions.covered_days, 0) AS covered_days,
    coalesce(doubled.days, 0)::BIGINT AS overlap_days,
    day(last_day(month)) AS due_days
FROM due
LEFT JOIN summaries.emissions_by_facility_month AS emissions USING (organization_id, facility_id, month)
LEFT JOIN doubled USING (organization_id, facility_id, month)
