-- Which organisations are below which, at any depth. If the organisation above is excluded from the sync, the root takes its place.
WITH RECURSIVE parents AS (
    SELECT organizations.organization_id, coalesce(above.organization_id, root.organization_id) AS parent_organization_id
    FROM dcycle.organizations AS organizations
    LEFT JOIN dcycle.organizations AS above ON above.organization_id = organizations.parent_organization_id
    LEFT JOIN dcycle.organizations AS root ON root.depth = 0 AND organizations.depth > 0
), known AS (
    SELECT organization_id FROM dcycle.organizations
    UNION
    SELECT organization_id FROM summaries.coverage_by_facility_month
), tree AS (
    SELECT organization_id, organization_id AS member_organization_id, 0 AS steps_below
    FROM known
    UNION
    SELECT tree.organization_id, parents.organization_id, tree.steps_below + 1
    FROM tree
    JOIN parents ON parents.parent_organization_id = tree.member_organization_id
    WHERE tree.steps_below < (SELECT count(*) FROM parents)
)
SELECT organization_id, member_organization_id, min(steps_below) AS steps_below
FROM tree
GROUP BY organization_id, member_organization_id
