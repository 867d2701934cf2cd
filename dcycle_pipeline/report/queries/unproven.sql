-- Lists that the last sweep of their organisation left unproven: their last rows stay; the first 50.
SELECT coalesce(o.name, s.organization_id) AS organization, s.endpoint, coalesce(f.name, s.facility_id) AS facility, s.outcome,
    s.reason, s.finished_at, count(*) OVER () AS in_all
FROM ($current_lists) AS s
LEFT JOIN dcycle.organizations AS o USING (organization_id)
LEFT JOIN dcycle.facilities AS f USING (organization_id, facility_id)
WHERE s.is_unproven
ORDER BY s.organization_id, s.endpoint, s.facility_id
LIMIT 50
