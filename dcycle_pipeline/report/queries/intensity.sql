-- Emissions per cubic metre, over the months of the year in which nothing is pending; the 100 facilities that treat most water.
SELECT coalesce(f.name, e.facility_id) AS facility, coalesce(o.name, e.organization_id) AS organization,
    e.co2e_kg_per_m3_in, e.co2e_kg_per_m3_in_year_on_year AS year_on_year, e.year_on_year_reason, e.co2e_kg_per_m3_out,
    e.sludge_kg_per_m3_in, e.calculated_months_co2e_kg, e.calculated_months_water_in_m3, count(*) OVER () AS in_all
FROM summaries.wwt_intensity_by_facility_year AS e
LEFT JOIN dcycle.facilities AS f USING (organization_id, facility_id)
LEFT JOIN dcycle.organizations AS o USING (organization_id)
WHERE e.year = $year AND e.co2e_kg_per_m3_in IS NOT NULL
ORDER BY e.calculated_months_water_in_m3 DESC, e.organization_id, e.facility_id
LIMIT 100
