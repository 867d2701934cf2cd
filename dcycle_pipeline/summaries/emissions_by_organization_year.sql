-- Adds up the years of an organisation's facilities. Its whole tree has columns of its own, never rows, so that rows can be summed.
WITH own AS (
    SELECT organization_id, year,
        sum(co2e_kg) AS co2e_kg, sum(co2e_biomass_kg) AS co2e_biomass_kg,
        sum(water_in_m3) AS water_in_m3, sum(water_out_m3) AS water_out_m3, sum(sludge_kg) AS sludge_kg,
        sum(record_count)::BIGINT AS record_count, sum(pending_record_count)::BIGINT AS pending_record_count,
        count(*) AS facility_count, sum(covered_days)::BIGINT AS covered_days, sum(due_days)::BIGINT AS due_days
    FROM summaries.wwt_intensity_by_facility_year
    GROUP BY organization_id, year
), below AS (
    SELECT tree.organization_id, own.year,
        sum(co2e_kg) AS co2e_kg, sum(co2e_biomass_kg) AS co2e_biomass_kg,
        sum(water_in_m3) AS water_in_m3, sum(water_out_m3) AS water_out_m3, sum(sludge_kg) AS sludge_kg,
        sum(record_count)::BIGINT AS record_count, sum(pending_record_count)::BIGINT AS pending_record_count,
        sum(facility_count)::BIGINT AS facility_count, sum(covered_days)::BIGINT AS covered_days, sum(due_days)::BIGINT AS due_days
    FROM summaries.organization_tree AS tree
    JOIN own ON own.organization_id = tree.member_organization_id
    GROUP BY tree.organization_id, own.year
), missing AS (
    SELECT organization_id, count(*) AS with_subsidiaries_missing_member_count
    FROM summaries.missing_members
    GROUP BY organization_id
)
SELECT below.organization_id, below.year,
    own.co2e_kg, own.co2e_biomass_kg, own.water_in_m3, own.water_out_m3, own.sludge_kg,
    coalesce(own.record_count, 0) AS record_count, coalesce(own.pending_record_count, 0) AS pending_record_count,
    coalesce(own.facility_count, 0) AS facility_count, coalesce(own.covered_days, 0) AS covered_days,
    coalesce(own.due_days, 0) AS due_days,
    no_change_reason(
        below.year, own.co2e_kg, own.covered_days, own.due_days, own.pending_record_count,
        own_before.co2e_kg, own_before.covered_days, own_before.due_days, own_before.pending_record_count
    ) AS year_on_year_reason,
    CASE WHEN year_on_year_reason IS NULL
        THEN ratio(own.co2e_kg - own_before.co2e_kg, own_before.co2e_kg) END AS co2e_kg_year_on_year,
    below.co2e_kg AS with_subsidiaries_co2e_kg,
    below.co2e_biomass_kg AS with_subsidiaries_co2e_biomass_kg,
    below.water_in_m3 AS with_subsidiaries_water_in_m3,
    below.water_out_m3 AS with_subsidiaries_water_out_m3,
    below.sludge_kg AS with_subsidiaries_sludge_kg,
    below.record_count AS with_subsidiaries_record_count,
    below.pending_record_count AS with_subsidiaries_pending_record_count,
    below.facility_count AS with_subsidiaries_facility_count,
    below.covered_days AS with_subsidiaries_covered_days,
    below.due_days AS with_subsidiaries_due_days,
    no_change_reason(
        below.year, below.co2e_kg, below.covered_days, below.due_days, below.pending_record_count,
        below_before.co2e_kg, below_before.covered_days, below_before.due_days, below_before.pending_record_count
    ) AS with_subsidiaries_year_on_year_reason,
    CASE WHEN with_subsidiaries_year_on_year_reason IS NULL
        THEN ratio(below.co2e_kg - below_before.co2e_kg, below_before.co2e_kg) END AS with_subsidiaries_co2e_kg_year_on_year,
    coalesce(with_subsidiaries_missing_member_count, 0) AS with_subsidiaries_missing_member_count
FROM below
LEFT JOIN missing ON missing.organization_id = below.organization_id
LEFT JOIN own ON own.organization_id = below.organization_id AND own.year = below.year
LEFT JOIN own AS own_before ON own_before.organization_id = below.organization_id AND own_before.year = below.year - 1
LEFT JOIN below AS below_before ON below_before.organization_id = below.organization_id AND below_before.year = below.year - 1
