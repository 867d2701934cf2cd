-- Facilities whose waste-water records exceed their reported total, or cannot be compared with it; the first 50.
SELECT coalesce(f.name, r.facility_id) AS facility, coalesce(o.name, r.organization_id) AS organization, r.facility_co2e_kg,
    r.wwt_co2e_kg, r.remainder_co2e_kg, r.pending_record_count, r.explanation, count(*) OVER (PARTITION BY true) AS in_all
FROM summaries.facility_reconciliation AS r
LEFT JOIN dcycle.facilities AS f USING (organization_id, facility_id)
LEFT JOIN dcycle.organizations AS o USING (organization_id)
WHERE r.verdict NOT IN ('within_total', 'no_records')
ORDER BY r.verdict, r.remainder_co2e_kg, r.organization_id, r.facility_id
LIMIT 50
