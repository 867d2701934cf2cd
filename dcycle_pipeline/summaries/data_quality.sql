-- How far the figures of an organisation can be trusted. current_lists and current_quarantine are views of this connection: the
-- rows of sync.lists and sync.quarantine that the last sweep of each organisation and endpoint left, whichever run made it.
WITH organizations AS (
    SELECT organization_id FROM dcycle.organizations
    UNION SELECT organization_id FROM dcycle.facilities
    UNION SELECT organization_id FROM dcycle.waste_water_treatments
), facilities AS (
    SELECT organization_id, count(*) AS facility_count
    FROM dcycle.facilities
    GROUP BY organization_id
), records AS (
    SELECT organization_id, count(*) AS record_count,
        count(*) FILTER (status = 'active') AS active_record_count,
        count(*) FILTER (status = 'uploaded') AS uploaded_record_count,
        count(*) FILTER (status = 'loading') AS loading_record_count,
        count(*) FILTER (status = 'error') AS error_record_count
    FROM dcycle.waste_water_treatments
    GROUP BY organization_id
), pending AS (
    SELECT organization_id, count(*) AS pending_record_count, count(DISTINCT facility_id) AS pending_facility_count,
        min(pending_since) AS oldest_pending_since
    FROM summaries.pending_records
    GROUP BY organization_id
), stretches AS (
    SELECT organization_id, count(*) FILTER (kind = 'gap') AS gap_count, count(*) FILTER (kind = 'overlap') AS overlap_count
    FROM summaries.coverage_gaps
    GROUP BY organization_id
), proofs AS (
    SELECT organization_id, endpoint, facility_id, max(finished_at) AS proven_at
    FROM sync.lists
    WHERE outcome = 'proven'
    GROUP BY organization_id, endpoint, facility_id
), lists AS (
    SELECT current_lists.organization_id,
        count(*) FILTER (NOT is_unproven) AS proven_list_count,
        count(*) FILTER (is_unproven) AS unproven_list_count,
        -- An organisation that the tree does not show, and facilities that nobody could know, are no lists: those that name them count.
        CASE WHEN count(*) FILTER (proven_at IS NULL AND current_lists.endpoint <> 'organizations' AND outcome <> 'facilities_not_read') = 0
            THEN min(proven_at) END AS oldest_proof_at,
        max(proven_at) AS newest_proof_at
    FROM current_lists
    LEFT JOIN proofs ON proofs.organization_id = current_lists.organization_id AND proofs.endpoint = current_lists.endpoint
        AND proofs.facility_id IS NOT DISTINCT FROM current_lists.facility_id
    WHERE is_unproven OR outcome = 'proven'
    GROUP BY current_lists.organization_id
), quarantined AS (
    SELECT organization_id, count(*) AS quarantined_count
    FROM current_quarantine
    GROUP BY organization_id
), doubtful AS (
    SELECT organization_id, count(*) AS doubtful_row_count
    FROM current_doubtful_rows
    GROUP BY organization_id
), unlisted AS (
    SELECT organization_id, count(*) AS unlisted_facility_count
    FROM history.facilities
    WHERE valid_to IS NULL AND change = 'unlisted'
    GROUP BY organization_id
), missing AS (
    SELECT organization_id, count(*) AS missing_member_count
    FROM summaries.missing_members
    GROUP BY organization_id
), twice AS (
    SELECT organization_id, count(*) FILTER (endpoint = 'facilities') AS twice_listed_facility_count,
        count(*) FILTER (endpoint = 'waste_water_treatments') AS twice_listed_record_count
    FROM summaries.listed_twice
    GROUP BY organization_id
)
SELECT organization_id,
    coalesce(facility_count, 0) AS facility_count,
    coalesce(record_count, 0) AS record_count,
    coalesce(active_record_count, 0) AS active_record_count,
    coalesce(uploaded_record_count, 0) AS uploaded_record_count,
    coalesce(loading_record_count, 0) AS loading_record_count,
    coalesce(error_record_count, 0) AS error_record_count,
    coalesce(pending_record_count, 0) AS pending_record_count,
    ratio(coalesce(pending_record_count, 0), active_record_count) AS pending_share,
    coalesce(gap_count, 0) AS gap_count,
    coalesce(overlap_count, 0) AS overlap_count,
    coalesce(proven_list_count, 0) AS proven_list_count,
    coalesce(unproven_list_count, 0) AS unproven_list_count,
    coalesce(quarantined_count, 0) AS quarantined_count,
    coalesce(doubtful_row_count, 0) AS doubtful_row_count,
    coalesce(twice_listed_facility_count, 0) AS twice_listed_facility_count,
    coalesce(twice_listed_record_count, 0) AS twice_listed_record_count,
    coalesce(missing_member_count, 0) AS missing_member_count,
    coalesce(unlisted_facility_count, 0) AS unlisted_facility_count,
    oldest_proof_at, newest_proof_at,
    coalesce(pending_facility_count, 0) AS pending_facility_count,
    oldest_pending_since,
    CASE WHEN oldest_pending_since IS NOT NULL THEN greatest(datesub('day', oldest_pending_since, newest_proof_at), 0) END AS oldest_pending_days
FROM organizations
LEFT JOIN facilities USING (organization_id)
LEFT JOIN records USING (organization_id)
LEFT JOIN pending USING (organization_id)
LEFT JOIN stretches USING (organization_id)
LEFT JOIN lists USING (organization_id)
LEFT JOIN quarantined USING (organization_id)
LEFT JOIN doubtful USING (organization_id)
LEFT JOIN missing USING (organization_id)
LEFT JOIN twice USING (organization_id)
LEFT JOIN unlisted USING (organization_id)
