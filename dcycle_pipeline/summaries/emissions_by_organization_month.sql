-- Adds up the months of an organisation's own facilities.
SELECT organization_id, month,
    sum(co2e_kg) AS co2e_kg, sum(co2e_biomass_kg) AS co2e_biomass_kg,
    sum(water_in_m3) AS water_in_m3, sum(water_out_m3) AS water_out_m3, sum(sludge_kg) AS sludge_kg,
    coalesce(sum(record_count), 0)::BIGINT AS record_count, coalesce(sum(pending_record_count), 0)::BIGINT AS pending_record_count,
    count(*) AS facility_count, sum(coverage.covered_days)::BIGINT AS covered_days, sum(coverage.due_days)::BIGINT AS due_days
FROM summaries.coverage_by_facility_month AS coverage
LEFT JOIN summaries.emissions_by_facility_month AS emissions USING (organization_id, facility_id, month)
GROUP BY organization_id, month
