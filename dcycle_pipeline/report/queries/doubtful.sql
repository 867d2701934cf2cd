-- Rows that their list no longer shows although the API does not say that they are gone; undecided; the first 50.
SELECT coalesce(o.name, d.organization_id) AS organization,
    $data AS data, coalesce(f.name, d.facility_id) AS facility, d.item_id,
    d.reason, d.doubtful_since, count(*) OVER (PARTITION BY true) AS in_all
FROM ($current_doubtful_rows) AS d
LEFT JOIN dcycle.organizations AS o USING (organization_id)
LEFT JOIN dcycle.facilities AS f USING (organization_id, facility_id)
ORDER BY d.organization_id, d.endpoint, d.facility_id, d.item_id
LIMIT 50
