-- Each organisation's own emissions of the year, without its subsidiaries: the rows add up to the group. If the year was not over when
-- the file was published, due_days are those up to its last month with a record.
SELECT coalesce(o.name, e.organization_id) AS organization, e.co2e_kg, e.co2e_kg_year_on_year AS year_on_year,
    CASE WHEN d.is_open THEN 'the year is not over' ELSE e.year_on_year_reason END AS year_on_year_reason,
    b.co2e_kg AS before_co2e_kg, ratio(e.co2e_kg, e.co2e_kg_in_all) AS share, e.water_in_m3, e.co2e_biomass_kg,
    e.facility_count, e.pending_record_count, e.covered_days, d.due_days, count(*) OVER (PARTITION BY true) AS in_all
FROM (SELECT *, sum(co2e_kg) OVER (PARTITION BY true) AS co2e_kg_in_all FROM summaries.emissions_by_organization_year WHERE year = $year) AS e
LEFT JOIN summaries.emissions_by_organization_year AS b ON b.organization_id = e.organization_id AND b.year = $year - 1
LEFT JOIN (SELECT organization_id, bool_or(is_open) AS is_open, sum(due_days)::BIGINT AS due_days FROM ($due) WHERE year = $year
    GROUP BY organization_id) AS d ON d.organization_id = e.organization_id
LEFT JOIN dcycle.organizations AS o ON o.organization_id = e.organization_id
ORDER BY e.co2e_kg DESC NULLS LAST, organization
LIMIT 50
