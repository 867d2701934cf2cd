-- The organisations of the report, from the root of the account down, with what was read of each.
WITH held AS (
    SELECT organization_id, min(month) AS first_month, max(month) AS last_month
    FROM summaries.emissions_by_organization_month WHERE covered_days > 0 GROUP BY ALL
), lacking AS (
    SELECT organization_id FROM ($current_lists) WHERE is_unproven GROUP BY ALL
), places AS (
    SELECT organization_id, count(*) FILTER (status = 'active') AS active_facility_count,
        count(*) FILTER (status <> 'active') AS archived_facility_count
    FROM dcycle.facilities GROUP BY ALL
)
SELECT o.name AS organization, p.name AS parent_organization, coalesce(f.active_facility_count, 0) AS active_facility_count,
    coalesce(f.archived_facility_count, 0) AS archived_facility_count, h.first_month, h.last_month,
    CASE WHEN l.organization_id IS NULL THEN 'completely'
        WHEN f.organization_id IS NULL THEN 'nothing received' ELSE 'not completely' END AS received,
    count(*) OVER (PARTITION BY true) AS in_all
FROM dcycle.organizations AS o LEFT JOIN dcycle.organizations AS p ON p.organization_id = o.parent_organization_id
LEFT JOIN places AS f ON f.organization_id = o.organization_id LEFT JOIN held AS h ON h.organization_id = o.organization_id
LEFT JOIN lacking AS l ON l.organization_id = o.organization_id
ORDER BY o.depth, o.name, o.organization_id
LIMIT 50
