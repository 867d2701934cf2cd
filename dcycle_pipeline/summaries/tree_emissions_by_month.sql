-- Adds up the months of all organisations of a tree.
WITH sums AS (
    SELECT tree.organization_id AS tree_organization_id, own.month,
        sum(co2e_kg) AS co2e_kg, sum(co2e_biomass_kg) AS co2e_biomass_kg,
        sum(water_in_m3) AS water_in_m3, sum(water_out_m3) AS water_out_m3, sum(sludge_kg) AS sludge_kg,
        sum(record_count)::BIGINT AS record_count, sum(pending_record_count)::BIGINT AS pending_record_count,
        sum(facility_count)::BIGINT AS facility_count, sum(covered_days)::BIGINT AS covered_days, sum(due_days)::BIGINT AS due_days
    FROM summaries.organization_tree AS tree
    JOIN summaries.emissions_by_organization_month AS own ON own.organization_id = tree.member_organization_id
    GROUP BY tree.organization_id, own.month
), missing AS (
    SELECT organization_id AS tree_organization_id, count(*) AS member_count
    FROM summaries.missing_members
    GROUP BY organization_id
)
SELECT sums.*, coalesce(missing.member_count, 0) AS missing_member_count
FROM sums
LEFT JOIN missing USING (tree_organization_id)
