-- The year of the report for the whole group: the organisations at the top of the tree, with all organisations below them.
SELECT sum(e.co2e_kg) AS co2e_kg, sum(e.co2e_biomass_kg) AS co2e_biomass_kg,
    sum(e.water_in_m3) AS water_in_m3, sum(e.sludge_kg) AS sludge_kg,
    sum(e.record_count)::BIGINT AS record_count,
    sum(e.pending_record_count)::BIGINT AS pending_record_count,
    sum(e.missing_member_count)::BIGINT AS missing_member_count,
    sum(e.facility_count)::BIGINT AS facility_count,
    sum(e.covered_days)::BIGINT AS covered_days, sum(e.due_days)::BIGINT AS due_days,
    ratio(sum(e.covered_days), sum(e.due_days)) AS covered_share,
    CASE count(*) WHEN 1 THEN any_value(e.co2e_kg_year_on_year) END AS year_on_year,
    CASE count(*) WHEN 1 THEN any_value(e.year_on_year_reason)
        ELSE 'several organisations stand at the top of the tree' END AS year_on_year_reason,
    (SELECT ratio(sum(calculated_months_co2e_kg), sum(calculated_months_water_in_m3)) FROM summaries.wwt_intensity_by_facility_year
        WHERE year = $year) AS co2e_kg_per_m3_in
FROM summaries.tree_emissions_by_year AS e
WHERE e.year = $year AND e.tree_organization_id NOT IN (SELECT member_organization_id FROM summaries.organization_tree WHERE steps_below > 0)
HAVING count(*) > 0
