-- Records by status, what is pending, and how the last sweep went, by organisation.
SELECT coalesce(o.name, q.organization_id) AS organization, q.active_record_count, q.pending_record_count, q.pending_share,
    q.uploaded_record_count, q.loading_record_count, q.error_record_count, q.proven_list_count, q.unproven_list_count,
    q.quarantined_count, q.doubtful_row_count, q.oldest_proof_at, count(*) OVER () AS in_all
FROM summaries.data_quality AS q LEFT JOIN dcycle.organizations AS o USING (organization_id)
ORDER BY q.unproven_list_count DESC, q.pending_record_count DESC, organization
LIMIT 50
