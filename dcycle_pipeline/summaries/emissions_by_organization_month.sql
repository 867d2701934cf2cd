-- Adds up the months of an organisation's facilities. Its whole tree has columns of its own, never rows, so that rows can be summed.
WITH own AS (
    SELECT organization_id, month,
        sum(co2e_kg) AS co2e_kg, sum(co2e_biomass_kg) AS co2e_biomass_kg,
        sum(water_in_m3) AS water_in_m3, sum(water_out_m3) AS water_out_m3, sum(sludge_kg) AS sludge_kg,
        coalesce(sum(record_count), 0) AS record_count, coalesce(sum(pending_record_count), 0) AS pending_record_count,
        count(*) AS facility_count, sum(coverage.covered_days) AS covered_days, sum(coverage.due_days) AS due_days
    FROM summaries.coverage_by_facility_month AS coverage
    LEFT JOIN summaries.emissions_by_facility_month AS emissions USING (organization_id, facility_id, month)
    GROUP BY organization_id, month
), below AS (
    SELECT tree.organization_id, own.month,
        sum(co2e_kg) AS co2e_kg, sum(co2e_biomass_kg) AS co2e_biomass_kg,
        sum(water_in_m3) AS water_in_m3, sum(water_out_m3) AS water_out_m3, sum(sludge_kg) AS sludge_kg,
        sum(record_count) AS record_count, sum(pending_record_count) AS pending_record_count,
        sum(facility_count) AS facility_count, sum(covered_days) AS covered_days, sum(due_days) AS due_days
    FROM summaries.organization_tree AS tree
    JOIN own ON own.organization_id = tree.member_organization_id
    GROUP BY tree.organization_id, own.month
), missing AS (
    SELECT organization_id, count(*) AS with_subsidiaries_missing_member_count
    FROM summaries.missing_members
    GROUP BY organization_id
)
SELECT organization_id, month,
    own.co2e_kg, own.co2e_biomass_kg, own.water_in_m3, own.water_out_m3, own.sludge_kg,
    coalesce(own.record_count, 0)::BIGINT AS record_count,
    coalesce(own.pending_record_count, 0)::BIGINT AS pending_record_count,
    coalesce(own.facility_count, 0)::BIGINT AS facility_count,
    coalesce(own.covered_days, 0)::BIGINT AS covered_days,
    coalesce(own.due_days, 0)::BIGINT AS due_days,
    below.co2e_kg AS with_subsidiaries_co2e_kg,
    below.co2e_biomass_kg AS with_subsidiaries_co2e_biomass_kg,
    below.water_in_m3 AS with_subsidiaries_water_in_m3,
    below.water_out_m3 AS with_subsidiaries_water_out_m3,
    below.sludge_kg AS with_subsidiaries_sludge_kg,
    below.record_count::BIGINT AS with_subsidiaries_record_count,
    below.pending_record_count::BIGINT AS with_subsidiaries_pending_record_count,
    below.facility_count::BIGINT AS with_subsidiaries_facility_count,
    below.covered_days::BIGINT AS with_subsidiaries_covered_days,
    below.due_days::BIGINT AS with_subsidiaries_due_days,
    coalesce(with_subsidiaries_missing_member_count, 0) AS with_subsidiaries_missing_member_count
FROM below
LEFT JOIN own USING (organization_id, month)
LEFT JOIN missing USING (organization_id)
