-- Facilities by emissions of the year; the 100 that emit most.
SELECT row_number() OVER (ORDER BY e.co2e_kg DESC NULLS LAST, e.organization_id, e.facility_id) AS place,
    coalesce(f.name, e.facility_id) AS facility, coalesce(o.name, e.organization_id) AS organization, e.country_code, e.co2e_kg,
    ratio(e.co2e_kg, e.co2e_kg_in_all) AS share, e.water_in_m3, e.co2e_biomass_kg, e.pending_record_count,
    e.covered_days, e.due_days, count(*) OVER () AS in_all
FROM (SELECT *, sum(co2e_kg) OVER () AS co2e_kg_in_all FROM summaries.wwt_intensity_by_facility_year WHERE year = $year) AS e
LEFT JOIN dcycle.facilities AS f USING (organization_id, facility_id)
LEFT JOIN dcycle.organizations AS o USING (organization_id)
ORDER BY place
LIMIT 100
