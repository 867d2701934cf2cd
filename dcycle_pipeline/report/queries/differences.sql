-- Every known reason why the records of the year do not add up to what Dcycle totals, with how often it applies.
WITH compared AS (SELECT * FROM summaries.total_impacts_comparison WHERE year = $year AND record_count > 0),
reasons AS (
    SELECT 1 AS place, 'Dcycle totals every source, this report waste water alone' AS reason, 'organisations' AS things,
        count(*) FILTER (difference_co2e_kg > 0) AS things_count, sum(difference_co2e_kg) FILTER (difference_co2e_kg > 0) AS concerned_co2e_kg
    FROM compared
    UNION ALL SELECT 2, 'Waste water exceeds the total of Dcycle: ask Dcycle why', 'organisations',
        count(*) FILTER (verdict = 'exceeds_total'), sum(difference_co2e_kg) FILTER (verdict = 'exceeds_total') FROM compared
    UNION ALL SELECT 3, 'The total of Dcycle is not known', 'organisations', count(*) FILTER (theirs_co2e_kg IS NULL), NULL FROM compared
    UNION ALL SELECT 4, 'Emissions are pending, so they add nothing here', 'records', sum(pending_record_count), NULL FROM compared
    UNION ALL SELECT 5, 'Records cross the turn of the year: here by days, in Dcycle maybe otherwise', 'records',
        sum(prorated_record_count), sum(prorated_co2e_kg) FROM compared
    UNION ALL SELECT 6, 'Days have no record', 'facility days', sum(due_days - covered_days), NULL FROM compared
    UNION ALL SELECT 7, 'Records are not active, so they do not count here', 'records', sum(not_active_record_count), NULL FROM compared
    UNION ALL SELECT 8, 'Data could not be received completely', 'lists', sum(unproven_list_count), NULL FROM compared
    UNION ALL SELECT 9, 'Items could not be used', 'items', sum(quarantined_count), NULL FROM compared
)
SELECT reason, things_count::BIGINT AS things_count, things, concerned_co2e_kg FROM reasons WHERE things_count > 0 ORDER BY place
