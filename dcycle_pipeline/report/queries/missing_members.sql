-- Organisations whose figures with subsidiaries lack a member: it is excluded, or something of it was not read; the first 50.
SELECT coalesce(o.name, m.organization_id) AS organization, coalesce(b.name, e.name, m.member_organization_id) AS member, m.reason,
    count(*) OVER () AS in_all
FROM summaries.missing_members AS m
LEFT JOIN dcycle.organizations AS o USING (organization_id)
LEFT JOIN dcycle.organizations AS b ON b.organization_id = m.member_organization_id
LEFT JOIN sync.excluded_organizations AS e ON e.organization_id = m.member_organization_id
ORDER BY o.depth NULLS LAST, m.organization_id, m.member_organization_id
LIMIT 50
