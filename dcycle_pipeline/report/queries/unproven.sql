-- What the last sweep could not read completely, by organisation, kind of data and cause: the last rows stay; the first 50.
-- sync.lists has each list with the answer of the API and what to do.
SELECT coalesce(o.name, s.organization_id) AS organization,
    $data AS data,
    CASE s.outcome WHEN 'forbidden' THEN 'access refused' WHEN 'unauthorized' THEN 'key not accepted' WHEN 'not_found' THEN 'not found'
        WHEN 'held' THEN 'large drop, waits for a person' WHEN 'facilities_not_read' THEN 'facilities not known'
        WHEN 'not_read' THEN 'not read yet' ELSE 'incomplete answer' END AS cause,
    CASE count(s.facility_id) WHEN 0 THEN NULL WHEN 1 THEN any_value(coalesce(f.name, s.facility_id)) END AS facility,
    count(*) AS list_count, max(s.finished_at) AS finished_at, count(*) OVER (PARTITION BY true) AS in_all
FROM ($current_lists) AS s
LEFT JOIN dcycle.organizations AS o USING (organization_id)
LEFT JOIN dcycle.facilities AS f USING (organization_id, facility_id)
WHERE s.is_unproven
GROUP BY s.organization_id, o.name, data, cause
ORDER BY organization, data, cause
LIMIT 50
