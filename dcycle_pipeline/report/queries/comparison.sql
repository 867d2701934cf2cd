-- What waste-water records add up to in the year, beside what Dcycle totals for the same organisations from all sources. The first row
-- adds up the organisations of which both are known: what several organisations list may be in the total of each.
WITH compared AS (
    SELECT c.organization_id, c.ours_co2e_kg, c.theirs_co2e_kg, c.difference_co2e_kg, t.scope_1_co2e_kg, t.scope_2_co2e_kg,
        t.scope_3_co2e_kg, c.ours_co2e_kg IS NOT NULL AND c.theirs_co2e_kg IS NOT NULL AS both_known
    FROM summaries.total_impacts_comparison AS c LEFT JOIN dcycle.total_impacts AS t USING (organization_id, year)
    WHERE c.year = $year AND c.record_count > 0
), rows AS (
    SELECT NULL AS organization_id, true AS is_all, sum(ours_co2e_kg) AS ours_co2e_kg, sum(theirs_co2e_kg) AS theirs_co2e_kg,
        sum(difference_co2e_kg) AS difference_co2e_kg, sum(scope_1_co2e_kg) AS scope_1_co2e_kg, sum(scope_2_co2e_kg) AS scope_2_co2e_kg,
        sum(scope_3_co2e_kg) AS scope_3_co2e_kg
    FROM compared WHERE both_known HAVING count(*) > 0
    UNION ALL BY NAME SELECT * EXCLUDE (both_known), false AS is_all FROM compared
)
SELECT CASE WHEN is_all THEN 'All with a known total' ELSE coalesce(o.name, r.organization_id) END AS organization, r.ours_co2e_kg,
    r.theirs_co2e_kg, ratio(r.ours_co2e_kg, r.theirs_co2e_kg) AS share, r.difference_co2e_kg, r.scope_1_co2e_kg, r.scope_2_co2e_kg,
    r.scope_3_co2e_kg, r.is_all,
    (SELECT count(*) FROM compared WHERE both_known) AS compared_count, (SELECT count(*) FROM compared) AS organization_count,
    count(*) OVER (PARTITION BY true) AS in_all
FROM rows AS r LEFT JOIN dcycle.organizations AS o USING (organization_id)
ORDER BY r.is_all DESC, r.ours_co2e_kg DESC NULLS LAST, organization
LIMIT 51
