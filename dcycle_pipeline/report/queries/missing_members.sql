-- Organisations whose figures with subsidiaries lack a member: it is excluded, or something of it was not read; the first 50.
-- is_top: the organisation stands at the top of the tree, so its figures are those of the group.
SELECT coalesce(o.name, m.organization_id) AS organization, coalesce(b.name, e.name, m.member_organization_id) AS member,
    replace(replace(replace(replace(replace(replace(replace(replace(m.reason, ' lists ', ' lists: '), 'facilities_not_read', 'facilities not known'),
        'not_read', 'not read yet'), 'forbidden', 'access refused'),
        'unauthorized', 'key not accepted'), 'not_found', 'not found'), 'unproven', 'incomplete'),
        'excluded in DCYCLE_ORGANIZATIONS_FILE', 'excluded by the settings') AS reason,
    m.organization_id NOT IN (SELECT member_organization_id FROM summaries.organization_tree WHERE steps_below > 0) AS is_top,
    count(*) OVER (PARTITION BY true) AS in_all
FROM summaries.missing_members AS m
LEFT JOIN dcycle.organizations AS o USING (organization_id)
LEFT JOIN dcycle.organizations AS b ON b.organization_id = m.member_organization_id
LEFT JOIN sync.excluded_organizations AS e ON e.organization_id = m.member_organization_id
ORDER BY is_top DESC, o.depth NULLS LAST, m.organization_id, m.member_organization_id
LIMIT 50
