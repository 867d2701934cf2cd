-- Facilities by emissions of the year; the 100 that emit most. missing_member_count is 1 if its records were not received
-- completely. If the year was not over when the file was published, due_days are those up to its last month with a record.
WITH lacking AS (
    SELECT organization_id, facility_id FROM ($current_lists) WHERE is_unproven AND endpoint = 'waste_water_treatments'
)
SELECT row_number() OVER (ORDER BY e.co2e_kg DESC NULLS LAST, e.organization_id, e.facility_id) AS place,
    coalesce(f.name, e.facility_id) AS facility, coalesce(o.name, e.organization_id) AS organization, e.country_code, e.co2e_kg,
    ratio(e.co2e_kg, e.co2e_kg_in_all) AS share, e.water_in_m3, e.co2e_biomass_kg, e.pending_record_count,
    e.covered_days, d.due_days,
    EXISTS (FROM lacking AS l WHERE l.organization_id = e.organization_id AND coalesce(l.facility_id, e.facility_id) = e.facility_id)::BIGINT
        AS missing_member_count, count(*) OVER (PARTITION BY true) AS in_all
FROM (SELECT *, sum(co2e_kg) OVER (PARTITION BY true) AS co2e_kg_in_all FROM summaries.wwt_intensity_by_facility_year WHERE year = $year) AS e
LEFT JOIN dcycle.facilities AS f USING (organization_id, facility_id)
LEFT JOIN dcycle.organizations AS o USING (organization_id)
LEFT JOIN ($due) AS d ON d.organization_id = e.organization_id AND d.facility_id = e.facility_id AND d.year = e.year
ORDER BY place
LIMIT 100
