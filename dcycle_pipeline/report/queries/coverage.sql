-- Days with a record by facility and month, in the last 24 months with records; the 40 facilities that miss most days in them.
WITH recent AS (
    SELECT * FROM summaries.coverage_by_facility_month
    WHERE month > (SELECT max(month) FROM summaries.coverage_by_facility_month WHERE covered_days > 0) - INTERVAL 24 MONTH
        AND month <= (SELECT max(month) FROM summaries.coverage_by_facility_month WHERE covered_days > 0)
), most_missing AS (
    SELECT organization_id, facility_id, sum(due_days - covered_days) AS missing_days, count(*) OVER (PARTITION BY true) AS in_all
    FROM recent GROUP BY ALL ORDER BY missing_days DESC, organization_id, facility_id LIMIT 40
)
SELECT r.organization_id, r.facility_id, coalesce(f.name, r.facility_id) AS facility, r.month, r.covered_days, r.due_days,
    r.overlap_days, m.missing_days::BIGINT AS missing_days, m.in_all
FROM recent AS r JOIN most_missing AS m USING (organization_id, facility_id)
LEFT JOIN dcycle.facilities AS f USING (organization_id, facility_id)
ORDER BY m.missing_days DESC, r.organization_id, r.facility_id, r.month
