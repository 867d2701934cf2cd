-- Emissions per cubic metre, over the months of the year in which nothing is pending; the 100 facilities that treat most water.
WITH lacking AS (
    SELECT organization_id, facility_id FROM ($current_lists) WHERE is_unproven AND endpoint = 'waste_water_treatments'
), rows AS (
    SELECT *, EXISTS (FROM lacking AS l WHERE l.organization_id = e.organization_id AND coalesce(l.facility_id, e.facility_id) = e.facility_id)
        AS is_lacking, (SELECT bool_or(is_open) FROM ($years_held) WHERE year = $year) AS is_open
    FROM summaries.wwt_intensity_by_facility_year AS e WHERE e.year = $year AND e.co2e_kg_per_m3_in IS NOT NULL
)
SELECT coalesce(f.name, e.facility_id) AS facility, coalesce(o.name, e.organization_id) AS organization,
    e.co2e_kg_per_m3_in, b.co2e_kg_per_m3_in AS before_co2e_kg_per_m3_in,
    CASE WHEN NOT e.is_lacking THEN e.co2e_kg_per_m3_in_year_on_year END AS year_on_year,
    CASE WHEN e.is_open THEN 'the year is not over' WHEN e.is_lacking THEN 'not received completely'
        ELSE e.year_on_year_reason END AS year_on_year_reason, e.co2e_kg_per_m3_out,
    e.sludge_kg_per_m3_in, e.calculated_months_co2e_kg, e.calculated_months_water_in_m3, count(*) OVER (PARTITION BY true) AS in_all
FROM rows AS e
LEFT JOIN dcycle.facilities AS f USING (organization_id, facility_id)
LEFT JOIN dcycle.organizations AS o USING (organization_id)
LEFT JOIN summaries.wwt_intensity_by_facility_year AS b
    ON b.organization_id = e.organization_id AND b.facility_id = e.facility_id AND b.year = e.year - 1
ORDER BY e.calculated_months_water_in_m3 DESC, e.organization_id, e.facility_id
LIMIT 100
