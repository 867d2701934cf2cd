-- Facilities that several organisations list, and records of other facilities: each counts once, in one of them; the first 50.
SELECT min(coalesce(f.name, t.facility_id)) AS facility,
    $data AS data, t.item_id,
    string_agg(coalesce(o.name, t.organization_id), '; ' ORDER BY t.organization_id) AS organizations,
    min(coalesce(c.name, t.counted_organization_id)) AS counted_in, count(*) OVER (PARTITION BY true) AS in_all
FROM summaries.listed_twice AS t
LEFT JOIN dcycle.facilities AS f USING (organization_id, facility_id)
LEFT JOIN dcycle.organizations AS o USING (organization_id)
LEFT JOIN dcycle.organizations AS c ON c.organization_id = t.counted_organization_id
WHERE t.endpoint = 'facilities' OR t.facility_id NOT IN (SELECT item_id FROM summaries.listed_twice WHERE endpoint = 'facilities')
GROUP BY t.endpoint, t.item_id
ORDER BY t.endpoint, t.item_id
LIMIT 50
