-- What this report rests on: the last publication.
SELECT coalesce(o.name, r.root_organization_id) AS group_name, r.published_at, r.outcome, r.organizations_count, r.rows_count,
    r.lists_proven_count, r.lists_unproven_count, r.quarantined_count, r.pipeline_version, r.run_id, r.content_hash
FROM sync.runs AS r LEFT JOIN dcycle.organizations AS o ON o.organization_id = r.root_organization_id
WHERE r.published_at IS NOT NULL
ORDER BY r.published_at DESC
LIMIT 1
