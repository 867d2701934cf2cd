-- The change on the year before over the same facilities and days: the calendar months that a facility covers completely in both years,
-- each day once, with nothing pending. The first row is all organisations. (February of a leap year has a day more.)
WITH months AS (
    SELECT organization_id, facility_id, month, e.co2e_kg, c.covered_days
    FROM summaries.coverage_by_facility_month AS c JOIN summaries.emissions_by_facility_month AS e USING (organization_id, facility_id, month)
    WHERE year(month) IN ($year, $year - 1) AND c.covered_days = day(last_day(month)) AND c.overlap_days = 0
        AND e.pending_record_count = 0 AND e.co2e_kg IS NOT NULL
), pairs AS (
    SELECT m.organization_id, m.facility_id, m.co2e_kg, b.co2e_kg AS before_co2e_kg, m.covered_days
    FROM months AS m JOIN months AS b ON b.organization_id = m.organization_id AND b.facility_id = m.facility_id
        AND b.month = m.month - INTERVAL 1 YEAR
    WHERE year(m.month) = $year
), sums AS (
    SELECT organization_id, grouping(organization_id) = 1 AS is_all, sum(co2e_kg) AS co2e_kg, sum(before_co2e_kg) AS before_co2e_kg,
        count(DISTINCT organization_id || facility_id) AS facility_count, sum(covered_days)::BIGINT AS compared_days
    FROM pairs GROUP BY ROLLUP (organization_id) HAVING count(*) > 0
)
SELECT CASE WHEN is_all THEN 'All organisations' ELSE coalesce(o.name, s.organization_id) END AS organization, s.before_co2e_kg, s.co2e_kg,
    ratio(s.co2e_kg - s.before_co2e_kg, s.before_co2e_kg) AS change, s.facility_count, s.compared_days, s.is_all, count(*) OVER (PARTITION BY true) AS in_all
FROM sums AS s LEFT JOIN dcycle.organizations AS o USING (organization_id)
ORDER BY s.is_all DESC, s.co2e_kg DESC, organization
LIMIT 51
