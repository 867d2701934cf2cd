-- Stretches of days without an active record, or with more than one; the 30 latest.
SELECT coalesce(f.name, g.facility_id) AS facility, coalesce(o.name, g.organization_id) AS organization,
    CASE g.kind WHEN 'gap' THEN 'no record' ELSE 'several records' END AS kind, g.first_date,
    g.last_date, g.days, g.record_count, count(*) OVER (PARTITION BY true) AS in_all
FROM summaries.coverage_gaps AS g
LEFT JOIN dcycle.facilities AS f USING (organization_id, facility_id)
LEFT JOIN dcycle.organizations AS o USING (organization_id)
ORDER BY g.first_date DESC, g.organization_id, g.facility_id
LIMIT 30
