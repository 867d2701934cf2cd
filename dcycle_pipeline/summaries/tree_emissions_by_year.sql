-- Adds up the years of all organisations of a tree.
WITH years AS (
    SELECT tree.organization_id AS tree_organization_id, own.year,
        sum(co2e_kg) AS co2e_kg, sum(co2e_biomass_kg) AS co2e_biomass_kg,
        sum(water_in_m3) AS water_in_m3, sum(water_out_m3) AS water_out_m3, sum(sludge_kg) AS sludge_kg,
        sum(record_count)::BIGINT AS record_count, sum(pending_record_count)::BIGINT AS pending_record_count,
        sum(facility_count)::BIGINT AS facility_count, sum(covered_days)::BIGINT AS covered_days, sum(due_days)::BIGINT AS due_days
    FROM summaries.organization_tree AS tree
    JOIN summaries.emissions_by_organization_year AS own ON own.organization_id = tree.member_organization_id
    GROUP BY tree.organization_id, own.year
), missing AS (
    SELECT organization_id AS tree_organization_id, count(*) AS member_count
    FROM summaries.missing_members
    GROUP BY organization_id
)
SELECT years.*, coalesce(missing.member_count, 0) AS missing_member_count,
    coalesce(missing_reason(missing.member_count), no_change_reason(
        years.year, years.co2e_kg, years.covered_days, years.due_days, years.pending_record_count,
        before.co2e_kg, before.covered_days, before.due_days, before.pending_record_count
    )) AS year_on_year_reason,
    CASE WHEN year_on_year_reason IS NULL THEN ratio(years.co2e_kg - before.co2e_kg, before.co2e_kg) END AS co2e_kg_year_on_year
FROM years
LEFT JOIN missing ON missing.tree_organization_id = years.tree_organization_id
LEFT JOIN years AS before ON before.tree_organization_id = years.tree_organization_id AND before.year = years.year - 1
