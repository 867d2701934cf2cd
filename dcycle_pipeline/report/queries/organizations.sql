-- Each organisation's own emissions of the year, without its subsidiaries: the rows add up to the group.
SELECT coalesce(o.name, e.organization_id) AS organization, e.co2e_kg, e.co2e_kg_year_on_year AS year_on_year,
    e.year_on_year_reason, ratio(e.co2e_kg, e.co2e_kg_in_all) AS share, e.water_in_m3, e.co2e_biomass_kg,
    e.facility_count, e.pending_record_count, e.covered_days, e.due_days, count(*) OVER () AS in_all
FROM (SELECT *, sum(co2e_kg) OVER () AS co2e_kg_in_all FROM summaries.emissions_by_organization_year WHERE year = $year) AS e
LEFT JOIN dcycle.organizations AS o USING (organization_id)
ORDER BY e.co2e_kg DESC NULLS LAST, organization
LIMIT 50
