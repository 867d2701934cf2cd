-- Adds up the months of a facility to years, and divides the sums: emissions and sludge per cubic metre.
WITH records AS (
    -- Records are counted here, not added up from the months: a record that spans months counts in each of them.
    SELECT organization_id, facility_id, year, count(*) AS record_count,
        count(*) FILTER (co2e_state = 'pending') AS pending_record_count
    FROM (
        SELECT organization_id, facility_id, co2e_state, unnest(range(year(start_date), year(end_date) + 1)) AS year
        FROM summaries.counted_records
        WHERE is_counted(status, start_date, end_date)
    )
    GROUP BY organization_id, facility_id, year
), sums AS (
    SELECT organization_id, facility_id, year(month) AS year,
        sum(co2e_kg) AS co2e_kg, sum(co2e_biomass_kg) AS co2e_biomass_kg,
        sum(water_in_m3) AS water_in_m3, sum(water_out_m3) AS water_out_m3, sum(sludge_kg) AS sludge_kg,
        sum(coverage.covered_days)::BIGINT AS covered_days, sum(coverage.due_days)::BIGINT AS due_days,
        sum(co2e_kg) FILTER (pending_record_count = 0) AS calculated_months_co2e_kg,
        sum(water_in_m3) FILTER (pending_record_count = 0) AS calculated_months_water_in_m3,
        sum(water_out_m3) FILTER (pending_record_count = 0) AS calculated_months_water_out_m3
    FROM summaries.coverage_by_facility_month AS coverage
    LEFT JOIN summaries.emissions_by_facility_month AS emissions USING (organization_id, facility_id, month)
    GROUP BY organization_id, facility_id, year(month)
), years AS (
    SELECT sums.*, ratio(calculated_months_co2e_kg, calculated_months_water_in_m3) AS co2e_kg_per_m3_in,
        coalesce(records.record_count, 0) AS record_count, coalesce(records.pending_record_count, 0) AS pending_record_count
    FROM sums
    LEFT JOIN records USING (organization_id, facility_id, year)
), compared AS (
    SELECT years.organization_id, years.facility_id, facilities.country_code, years.year::INTEGER AS year,
        years.co2e_kg, years.co2e_biomass_kg, years.water_in_m3, years.water_out_m3, years.sludge_kg,
        years.record_count, years.pending_record_count, years.covered_days, years.due_days,
        years.calculated_months_co2e_kg, years.calculated_months_water_in_m3, years.calculated_months_water_out_m3,
        years.co2e_kg_per_m3_in,
        ratio(years.calculated_months_co2e_kg, years.calculated_months_water_out_m3) AS co2e_kg_per_m3_out,
        ratio(years.sludge_kg, years.water_in_m3) AS sludge_kg_per_m3_in,
        no_change_reason(
            years.year, years.co2e_kg_per_m3_in, years.covered_days, years.due_days, years.pending_record_count,
            before.co2e_kg_per_m3_in, before.covered_days, before.due_days, before.pending_record_count
        ) AS year_on_year_reason,
        before.co2e_kg_per_m3_in AS before_co2e_kg_per_m3_in
    FROM years
    LEFT JOIN years AS before
        ON before.organization_id = years.organization_id AND before.facility_id = years.facility_id AND before.year = years.year - 1
    LEFT JOIN dcycle.facilities AS facilities
        ON facilities.organization_id = years.organization_id AND facilities.facility_id = years.facility_id
)
SELECT * EXCLUDE (before_co2e_kg_per_m3_in),
    CASE WHEN year_on_year_reason IS NULL
        THEN ratio(co2e_kg_per_m3_in - before_co2e_kg_per_m3_in, before_co2e_kg_per_m3_in) END AS co2e_kg_per_m3_in_year_on_year
FROM compared
