-- Records by status, what is pending, and how the last sweep went, by organisation. oldest_proof_at is when the list with the oldest
-- proof was last read completely; lists that never were are counted beside it.
WITH proofs AS (
    SELECT organization_id, endpoint, facility_id, max(finished_at) AS proven_at FROM sync.lists WHERE outcome = 'proven' GROUP BY ALL
), lists AS (
    SELECT l.organization_id, min(p.proven_at) AS oldest_proof_at,
        count(*) FILTER (p.proven_at IS NULL AND l.is_unproven AND l.endpoint <> 'organizations') AS never_proven_count
    FROM ($current_lists) AS l LEFT JOIN proofs AS p ON p.organization_id = l.organization_id AND p.endpoint = l.endpoint
        AND p.facility_id IS NOT DISTINCT FROM l.facility_id
    WHERE l.is_unproven OR l.outcome = 'proven'
    GROUP BY ALL
)
SELECT coalesce(o.name, q.organization_id) AS organization, q.active_record_count, q.pending_record_count, q.pending_share,
    q.uploaded_record_count, q.loading_record_count, q.error_record_count, q.proven_list_count, q.unproven_list_count,
    q.quarantined_count, q.doubtful_row_count, l.oldest_proof_at, coalesce(l.never_proven_count, 0) AS never_proven_count,
    count(*) OVER (PARTITION BY true) AS in_all
FROM summaries.data_quality AS q LEFT JOIN dcycle.organizations AS o USING (organization_id) LEFT JOIN lists AS l USING (organization_id)
ORDER BY q.unproven_list_count DESC, q.pending_record_count DESC, organization
LIMIT 50
