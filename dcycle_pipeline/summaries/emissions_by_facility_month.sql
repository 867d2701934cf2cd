-- Active waste-water records spread over the calendar months that they cover, by days, both dates inclusive.
-- Quantities are counted in whole billionths (HUGEINT), because dividing a DECIMAL gives a DOUBLE in DuckDB. Each month gets
-- "all up to its last day" minus "all up to the day before its first", so that the months of a record add up to it exactly.
WITH records AS (
    SELECT organization_id, facility_id, start_date, end_date, co2e_state, end_date - start_date + 1 AS days,
        (co2e_kg * 1000000000)::HUGEINT AS co2e, (co2e_biomass_kg * 1000000000)::HUGEINT AS biomass,
        (water_in_m3 * 1000000000)::HUGEINT AS water_in, (water_out_m3 * 1000000000)::HUGEINT AS water_out,
        (sludge_kg * 1000000000)::HUGEINT AS sludge
    FROM dcycle.waste_water_treatments
    WHERE status = 'active' AND start_date IS NOT NULL AND end_date IS NOT NULL
), months AS (
    SELECT *, unnest(generate_series(date_trunc('month', start_date), date_trunc('month', end_date), INTERVAL 1 MONTH))::DATE AS month
    FROM records
), parts AS (
    SELECT *, greatest(start_date, month) - start_date AS days_before, least(end_date, last_day(month)) - start_date + 1 AS days_until
    FROM months
), sums AS (
    SELECT organization_id, facility_id, month,
        sum(co2e * days_until // days - co2e * days_before // days) AS co2e,
        sum(biomass * days_until // days - biomass * days_before // days) AS biomass,
        sum(water_in * days_until // days - water_in * days_before // days) AS water_in,
        sum(water_out * days_until // days - water_out * days_before // days) AS water_out,
        sum(sludge * days_until // days - sludge * days_before // days) AS sludge,
        count(*) AS record_count,
        count(*) FILTER (co2e_state = 'pending') AS pending_record_count
    FROM parts
    GROUP BY organization_id, facility_id, month
), reached AS (
    SELECT organization_id, facility_id, start_date, end_date, max(end_date) OVER (
            PARTITION BY organization_id, facility_id ORDER BY start_date, end_date
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS covered_until
    FROM (SELECT DISTINCT organization_id, facility_id, start_date, end_date FROM records)
), fresh AS (
    -- What each period covers that none before it does: these never overlap.
    SELECT organization_id, facility_id, end_date, greatest(start_date, coalesce(covered_until + 1, start_date)) AS first_date
    FROM reached
    WHERE covered_until IS NULL OR end_date > covered_until
), covered AS (
    SELECT organization_id, facility_id, month,
        sum(least(end_date, last_day(month)) - greatest(first_date, month) + 1) AS covered_days
    FROM (
        SELECT *, unnest(generate_series(date_trunc('month', first_date), date_trunc('month', end_date), INTERVAL 1 MONTH))::DATE AS month
        FROM fresh
    )
    GROUP BY organization_id, facility_id, month
)
SELECT sums.organization_id, sums.facility_id, facilities.country_code, sums.month,
    (sums.co2e // 1000000000)::DECIMAL(38, 9) + (sums.co2e % 1000000000)::DECIMAL(10, 0) * 0.000000001 AS co2e_kg,
    (sums.biomass // 1000000000)::DECIMAL(38, 9) + (sums.biomass % 1000000000)::DECIMAL(10, 0) * 0.000000001 AS co2e_biomass_kg,
    (sums.water_in // 1000000000)::DECIMAL(38, 9) + (sums.water_in % 1000000000)::DECIMAL(10, 0) * 0.000000001 AS water_in_m3,
    (sums.water_out // 1000000000)::DECIMAL(38, 9) + (sums.water_out % 1000000000)::DECIMAL(10, 0) * 0.000000001 AS water_out_m3,
    (sums.sludge // 1000000000)::DECIMAL(38, 9) + (sums.sludge % 1000000000)::DECIMAL(10, 0) * 0.000000001 AS sludge_kg,
    sums.record_count, sums.pending_record_count, covered.covered_days::BIGINT AS covered_days,
    day(last_day(sums.month)) AS days_in_month
FROM sums JOIN covered USING (organization_id, facility_id, month)
LEFT JOIN dcycle.facilities AS facilities USING (organization_id, facility_id)
