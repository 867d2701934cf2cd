-- Adds up the years of an organisation's own facilities.
WITH years AS (
    SELECT organization_id, year,
        sum(co2e_kg) AS co2e_kg, sum(co2e_biomass_kg) AS co2e_biomass_kg,
        sum(water_in_m3) AS water_in_m3, sum(water_out_m3) AS water_out_m3, sum(sludge_kg) AS sludge_kg,
        sum(record_count)::BIGINT AS record_count, sum(pending_record_count)::BIGINT AS pending_record_count,
        count(*) AS facility_count, sum(covered_days)::BIGINT AS covered_days, sum(due_days)::BIGINT AS due_days
    FROM summaries.wwt_intensity_by_facility_year
    GROUP BY organization_id, year
)
SELECT years.*,
    coalesce(CASE WHEN missing.organization_id IS NOT NULL THEN 'not received completely' END, no_change_reason(
        years.year, years.co2e_kg, years.covered_days, years.due_days, years.pending_record_count,
        before.co2e_kg, before.covered_days, before.due_days, before.pending_record_count
    )) AS year_on_year_reason,
    CASE WHEN year_on_year_reason IS NULL THEN ratio(years.co2e_kg - before.co2e_kg, before.co2e_kg) END AS co2e_kg_year_on_year
FROM years
LEFT JOIN summaries.missing_members AS missing
    ON missing.organization_id = years.organization_id AND missing.member_organization_id = years.organization_id
LEFT JOIN years AS before ON before.organization_id = years.organization_id AND before.year = years.year - 1
