-- Compares what an organisation's waste-water records add up to in a year with what Dcycle totals for it from all sources. It only
-- informs. Views of this connection say how the last sweep went: current_year_totals and year_totals_quarantine for the totals,
-- current_lists and current_quarantine for the lists.
WITH own AS (
    SELECT organization_id, year, co2e_kg, record_count, pending_record_count, covered_days, due_days
    FROM summaries.emissions_by_organization_year
    WHERE record_count > 0
), years AS (
    SELECT *, unnest(range(year(start_date), year(end_date) + 1))::INTEGER AS year,
        is_counted(status, start_date, end_date) AS counted, year(start_date) <> year(end_date) AS crosses
    FROM summaries.counted_records
    WHERE NOT counted OR crosses -- all others add nothing to what is counted below
), cut AS (
    SELECT *, greatest(start_date, make_date(year, 1, 1)) - start_date AS days_before,
        least(end_date, make_date(year, 12, 31)) - start_date + 1 AS days_until, day_count(start_date, end_date) AS days
    FROM years
), records AS (
    SELECT organization_id, year, count(*) FILTER (NOT counted) AS not_active_record_count,
        count(*) FILTER (counted AND crosses) AS prorated_record_count,
        coalesce(sum(part(co2e_kg, days_before, days_until, days)) FILTER (counted AND crosses), 0) AS prorated_co2e_kg
    FROM cut
    GROUP BY organization_id, year
), unproven AS (
    SELECT organization_id, count(*) AS unproven_list_count FROM current_lists WHERE is_unproven GROUP BY organization_id
), quarantined AS (
    SELECT organization_id, count(*) AS quarantined_count FROM current_quarantine GROUP BY organization_id
), asked AS (
    SELECT organization_id, year, rtrim(reason, '.') AS failure FROM current_year_totals
), not_understood AS (
    SELECT organization_id, year, max(reason) AS problem FROM year_totals_quarantine GROUP BY ALL
), keys AS (
    SELECT organization_id, year FROM own UNION SELECT organization_id, year FROM dcycle.total_impacts
), sides AS (
    SELECT keys.organization_id, keys.year, own.co2e_kg AS ours_co2e_kg, total_impacts.co2e_kg AS theirs_co2e_kg,
        (total_impacts.co2e_kg - own.co2e_kg)::DECIMAL(38, 9) AS difference_co2e_kg,
        total_impacts.scope_1_co2e_kg AS theirs_scope_1_co2e_kg,
        coalesce(own.record_count, 0) AS record_count, coalesce(own.pending_record_count, 0) AS pending_record_count,
        coalesce(not_active_record_count, 0) AS not_active_record_count,
        coalesce(prorated_record_count, 0) AS prorated_record_count,
        coalesce(prorated_co2e_kg, 0)::DECIMAL(38, 9) AS prorated_co2e_kg,
        ratio(coalesce(records.prorated_co2e_kg, 0), own.co2e_kg) AS prorated_share,
        coalesce(own.covered_days, 0) AS covered_days, coalesce(own.due_days, 0) AS due_days,
        coalesce(unproven_list_count, 0) AS unproven_list_count, coalesce(quarantined_count, 0) AS quarantined_count,
        CASE WHEN asked.year IS NULL THEN 'it was not asked for in the last sweep'
            WHEN failure <> '' THEN 'it could not be read: ' || failure
            WHEN problem IS NOT NULL THEN 'the answer was not understood: ' || problem END AS unread
    FROM keys
    LEFT JOIN own USING (organization_id, year)
    LEFT JOIN dcycle.total_impacts AS total_impacts USING (organization_id, year)
    LEFT JOIN records USING (organization_id, year)
    LEFT JOIN asked USING (organization_id, year)
    LEFT JOIN not_understood USING (organization_id, year)
    LEFT JOIN unproven USING (organization_id)
    LEFT JOIN quarantined USING (organization_id)
)
SELECT * EXCLUDE (unread),
    CASE WHEN theirs_co2e_kg IS NULL THEN 'total_not_known'
        WHEN record_count = 0 THEN 'no_records'
        WHEN ours_co2e_kg IS NULL THEN 'nothing_calculated'
        -- A kilogram is allowed for rounding: Dcycle may give tonnes with three decimals.
        WHEN ours_co2e_kg > theirs_co2e_kg + 1 THEN 'exceeds_total'
        ELSE 'within_total' END AS verdict,
    concat_ws('; ',
        CASE WHEN theirs_co2e_kg IS NULL THEN 'their total is not known: ' || unread
            WHEN unread IS NOT NULL THEN 'their total is that of an earlier sweep: ' || unread END,
        CASE WHEN difference_co2e_kg > 0 THEN 'their total covers every source, ours waste water alone' END,
        CASE WHEN pending_record_count > 0
            THEN pending_record_count || ' of ' || record_count || ' records are pending and add nothing to ours' END,
        CASE WHEN prorated_record_count > 0 THEN prorated_record_count || ' records cross the turn of the year: ours has '
            || prorated_co2e_kg || ' kg of them, by days, theirs may count them otherwise' END,
        CASE WHEN covered_days < due_days THEN 'ours covers ' || covered_days || ' of ' || due_days || ' days' END,
        CASE WHEN not_active_record_count > 0 THEN not_active_record_count || ' records are not active and do not count in ours' END,
        CASE WHEN unproven_list_count > 0
            THEN unproven_list_count || ' lists are unproven, so ours may lack or keep records' END,
        CASE WHEN quarantined_count > 0 THEN quarantined_count || ' items were quarantined and may be missing in ours' END
    ) AS reasons
FROM sides
