-- The whole group by calendar year: the organisations at the top of the tree, with all organisations below them. is_open: the year was
-- not over when the file was published; first_month and last_month are those with a record, and due_days are those up to last_month.
SELECT e.year, any_value(h.first_month) AS first_month, any_value(h.last_month) AS last_month,
    coalesce(any_value(h.is_open), false) AS is_open, sum(e.co2e_kg) AS co2e_kg,
    CASE count(*) WHEN 1 THEN any_value(e.co2e_kg_year_on_year) END AS year_on_year,
    CASE WHEN count(*) > 1 THEN 'several organisations stand at the top of the tree'
        WHEN coalesce(any_value(h.is_open), false) THEN 'the year is not over'
        ELSE any_value(e.year_on_year_reason) END AS year_on_year_reason,
    sum(e.water_in_m3) AS water_in_m3, sum(e.co2e_biomass_kg) AS co2e_biomass_kg,
    sum(e.missing_member_count)::BIGINT AS missing_member_count,
    sum(e.pending_record_count)::BIGINT AS pending_record_count,
    sum(e.covered_days)::BIGINT AS covered_days, any_value(d.due_days) AS due_days
FROM summaries.tree_emissions_by_year AS e LEFT JOIN ($years_held) AS h USING (year)
LEFT JOIN (SELECT year, sum(due_days)::BIGINT AS due_days FROM ($due) GROUP BY year) AS d USING (year)
WHERE e.tree_organization_id NOT IN (SELECT member_organization_id FROM summaries.organization_tree WHERE steps_below > 0)
GROUP BY e.year
ORDER BY e.year DESC
LIMIT 12
