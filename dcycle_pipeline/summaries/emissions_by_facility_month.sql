-- Spreads active waste-water records over the calendar months that they cover, by days, both dates inclusive.
WITH records AS (
    SELECT organization_id, facility_id, start_date, end_date, co2e_state,
        co2e_kg, co2e_biomass_kg, water_in_m3, water_out_m3, sludge_kg, day_count(start_date, end_date) AS days
    FROM summaries.counted_records
    WHERE is_counted(status, start_date, end_date)
), months AS (
    SELECT *, unnest(months_touched(start_date, end_date)) AS month
    FROM records
), cut AS (
    SELECT *, greatest(start_date, month) - start_date AS days_before, least(end_date, last_day(month)) - start_date + 1 AS days_until
    FROM months
), sums AS (
    SELECT organization_id, facility_id, month,
        sum(part(co2e_kg, days_before, days_until, days)) AS co2e_kg,
        sum(part(co2e_biomass_kg, days_before, days_until, days)) AS co2e_biomass_kg,
        sum(part(water_in_m3, days_before, days_until, days)) AS water_in_m3,
        sum(part(water_out_m3, days_before, days_until, days)) AS water_out_m3,
        sum(part(sludge_kg, days_before, days_until, days)) AS sludge_kg,
        count(*) AS record_count,
        count(*) FILTER (co2e_state = 'pending') AS pending_record_count
    FROM cut
    GROUP BY organization_id, facility_id, month
), spans AS (
    SELECT organization_id, facility_id, min(start_date) AS first_date, max(end_date) AS last_date
    FROM summaries.counted_records
    WHERE is_counted(status, start_date, end_date)
    GROUP BY organization_id, facility_id
), gaps AS (
    SELECT organization_id, facility_id, month, sum(day_count(greatest(first_date, month), least(last_date, last_day(month)))) AS days
    FROM (SELECT *, unnest(months_touched(first_date, last_date)) AS month FROM summaries.coverage_gaps WHERE kind = 'gap')
    GROUP BY organization_id, facility_id, month
)
SELECT organization_id, facility_id, facilities.country_code, month,
    sums.co2e_kg, sums.co2e_biomass_kg, sums.water_in_m3, sums.water_out_m3, sums.sludge_kg,
    sums.record_count, sums.pending_record_count,
    -- All days of the month between the facility's first and last covered day, except those in gaps.
    (day_count(greatest(first_date, month), least(last_date, last_day(month))) - coalesce(gaps.days, 0))::BIGINT AS covered_days,
    day(last_day(month)) AS days_in_month
FROM sums
JOIN spans USING (organization_id, facility_id)
LEFT JOIN gaps USING (organization_id, facility_id, month)
LEFT JOIN dcycle.facilities AS facilities USING (organization_id, facility_id)
