-- Which figures of a tree lack a member: an organisation of it that is excluded, or of which something was not read. current_lists
-- and current_quarantine are views of this connection, see data_quality.sql.
WITH RECURSIVE nodes AS (
    SELECT organization_id, parent_organization_id, depth FROM dcycle.organizations
    UNION ALL
    SELECT organization_id, parent_organization_id, depth FROM sync.excluded_organizations
), parents AS (
    SELECT nodes.organization_id, coalesce(above.organization_id, root.organization_id) AS parent_organization_id
    FROM nodes
    LEFT JOIN nodes AS above ON above.organization_id = nodes.parent_organization_id
    LEFT JOIN nodes AS root ON root.depth = 0 AND nodes.depth > 0
), tree AS (
    SELECT organization_id, organization_id AS member_organization_id
    FROM nodes
    UNION
    SELECT tree.organization_id, parents.organization_id
    FROM tree
    JOIN parents ON parents.parent_organization_id = tree.member_organization_id
), problems AS (
    SELECT organization_id, 'excluded in DCYCLE_ORGANIZATIONS_FILE' AS reason
    FROM sync.excluded_organizations
    UNION ALL
    SELECT organization_id, count(*) || ' lists ' || string_agg(DISTINCT outcome, ', ' ORDER BY outcome)
    FROM current_lists
    WHERE is_unproven
    GROUP BY organization_id
    UNION ALL
    SELECT organization_id, count(*) || ' nodes of the tree below it cannot be used'
    FROM current_quarantine
    WHERE endpoint = 'organizations'
    GROUP BY organization_id
)
SELECT tree.organization_id, member_organization_id, string_agg(reason, '; ' ORDER BY reason) AS reason
FROM tree
JOIN problems ON problems.organization_id = member_organization_id
GROUP BY tree.organization_id, member_organization_id
