-- Items that the last sweep quarantined: if an older version of an item was usable, it stays; the first 50.
SELECT coalesce(o.name, q.organization_id) AS organization,
    $data AS data, coalesce(f.name, q.facility_id) AS facility, q.item_id,
    q.reason, q.quarantined_at, count(*) OVER (PARTITION BY true) AS in_all
FROM ($current_quarantine) AS q
LEFT JOIN dcycle.organizations AS o USING (organization_id)
LEFT JOIN dcycle.facilities AS f USING (organization_id, facility_id)
ORDER BY q.organization_id, q.endpoint, q.facility_id, q.page, q.position
LIMIT 50
