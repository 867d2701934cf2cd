-- Emissions of the year by country of the facility, over all organisations.
SELECT coalesce(country_code, 'not known') AS country, co2e_kg, co2e_kg_year_on_year AS year_on_year, year_on_year_reason,
    water_in_m3, facility_count, pending_record_count, covered_days, due_days
FROM summaries.emissions_by_country_year
WHERE year = $year
ORDER BY co2e_kg DESC NULLS LAST, country
