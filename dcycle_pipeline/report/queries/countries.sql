-- Emissions of the year by country of the facility, over all organisations. If the year was not over when the file was published,
-- due_days are those up to its last month with a record.
WITH due AS (
    SELECT y.country_code, bool_or(d.is_open) AS is_open, sum(d.due_days)::BIGINT AS due_days
    FROM ($due) AS d JOIN summaries.wwt_intensity_by_facility_year AS y USING (organization_id, facility_id, year)
    WHERE d.year = $year GROUP BY y.country_code
)
SELECT coalesce(e.country_code, 'not known') AS country, e.co2e_kg, e.co2e_kg_year_on_year AS year_on_year,
    CASE WHEN d.is_open THEN 'the year is not over' ELSE e.year_on_year_reason END AS year_on_year_reason,
    b.co2e_kg AS before_co2e_kg, e.water_in_m3, e.facility_count, e.pending_record_count, e.covered_days, d.due_days
FROM summaries.emissions_by_country_year AS e
LEFT JOIN due AS d ON d.country_code IS NOT DISTINCT FROM e.country_code
LEFT JOIN summaries.emissions_by_country_year AS b ON b.country_code IS NOT DISTINCT FROM e.country_code AND b.year = $year - 1
WHERE e.year = $year
ORDER BY e.co2e_kg DESC NULLS LAST, country
