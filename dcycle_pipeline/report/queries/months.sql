-- Each organisation's own emissions by month, in the last 36 months with records; the 12 organisations that emit most in them.
-- is_open: the month was not over when the file was published. missing_member_count is 1 if the organisation was not received completely.
WITH recent AS (
    SELECT * FROM summaries.emissions_by_organization_month
    WHERE month > (SELECT max(month) FROM summaries.emissions_by_organization_month WHERE record_count > 0) - INTERVAL 36 MONTH
), emitters AS (
    SELECT organization_id, sum(co2e_kg) AS co2e_kg_in_all, count(*) OVER (PARTITION BY true) AS in_all
    FROM recent GROUP BY organization_id HAVING sum(record_count) > 0
    ORDER BY co2e_kg_in_all DESC NULLS LAST, organization_id LIMIT 12
)
SELECT r.organization_id, coalesce(o.name, r.organization_id) AS organization, r.month, r.co2e_kg, r.co2e_biomass_kg, r.pending_record_count,
    r.covered_days, r.due_days,
    (SELECT count(*) FROM summaries.missing_members AS m WHERE m.organization_id = r.organization_id
        AND m.member_organization_id = r.organization_id) AS missing_member_count,
    coalesce(last_day(r.month) >= (SELECT max(published_at)::DATE FROM sync.runs), false) AS is_open, e.in_all
FROM recent AS r JOIN emitters AS e USING (organization_id) LEFT JOIN dcycle.organizations AS o USING (organization_id)
WHERE r.month <= (SELECT max(month) FROM recent WHERE record_count > 0)
ORDER BY e.co2e_kg_in_all DESC NULLS LAST, r.organization_id, r.month
