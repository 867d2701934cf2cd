-- How people read each organisation that figures name. One that is no longer in the tree has its id only.
WITH known AS (
    SELECT organization_id FROM dcycle.organizations
    UNION
    SELECT organization_id FROM dcycle.facilities
    UNION
    SELECT organization_id FROM summaries.coverage_by_facility_month
), named AS (
    SELECT organization_id, parent_organization_id, depth, coalesce(nullif(trim(name), ''), organization_id) AS name
    FROM known
    LEFT JOIN dcycle.organizations USING (organization_id)
), told_apart AS (
    SELECT organization_id, parent_organization_id, depth,
        CASE WHEN count(*) OVER (PARTITION BY name) > 1 AND name <> organization_id
            THEN name || ' (' || organization_id || ')' ELSE name END AS organization
    FROM named
)
SELECT own.organization_id, own.organization, above.organization AS parent_organization, own.depth
FROM told_apart AS own
LEFT JOIN told_apart AS above ON above.organization_id = own.parent_organization_id
