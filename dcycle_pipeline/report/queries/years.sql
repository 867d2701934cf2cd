-- The whole group by calendar year: the organisations at the top of the tree, with all organisations below them.
SELECT e.year, sum(e.co2e_kg) AS co2e_kg,
    CASE count(*) WHEN 1 THEN any_value(e.co2e_kg_year_on_year) END AS year_on_year,
    CASE count(*) WHEN 1 THEN any_value(e.year_on_year_reason)
        ELSE 'several organisations stand at the top of the tree' END AS year_on_year_reason,
    sum(e.water_in_m3) AS water_in_m3, sum(e.co2e_biomass_kg) AS co2e_biomass_kg,
    sum(e.missing_member_count)::BIGINT AS missing_member_count,
    sum(e.pending_record_count)::BIGINT AS pending_record_count,
    sum(e.covered_days)::BIGINT AS covered_days, sum(e.due_days)::BIGINT AS due_days
FROM summaries.tree_emissions_by_year AS e
WHERE e.tree_organization_id NOT IN (SELECT member_organization_id FROM summaries.organization_tree WHERE steps_below > 0)
GROUP BY e.year
ORDER BY e.year DESC
LIMIT 12
