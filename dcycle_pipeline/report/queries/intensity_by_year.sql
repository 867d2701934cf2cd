-- Emissions per cubic metre of the whole group by calendar year: ratios of sums, over the months of each facility in which nothing is
-- pending. is_open: the year was not over when the file was published; first_month and last_month are those with a record, and due_days
-- are those up to last_month. missing_member_count: organisations that were not received completely.
SELECT e.year, any_value(h.first_month) AS first_month, any_value(h.last_month) AS last_month,
    coalesce(any_value(h.is_open), false) AS is_open,
    sum(e.calculated_months_co2e_kg) AS calculated_months_co2e_kg, sum(e.calculated_months_water_in_m3) AS calculated_months_water_in_m3,
    ratio(sum(e.calculated_months_co2e_kg), sum(e.calculated_months_water_in_m3)) AS co2e_kg_per_m3_in,
    count(e.co2e_kg_per_m3_in) AS facility_count, sum(e.pending_record_count)::BIGINT AS pending_record_count,
    sum(e.covered_days)::BIGINT AS covered_days, sum(d.due_days)::BIGINT AS due_days,
    (SELECT count(DISTINCT member_organization_id) FROM summaries.missing_members) AS missing_member_count
FROM summaries.wwt_intensity_by_facility_year AS e LEFT JOIN ($years_held) AS h USING (year)
LEFT JOIN ($due) AS d USING (organization_id, facility_id, year)
GROUP BY e.year
ORDER BY e.year DESC
LIMIT 12
