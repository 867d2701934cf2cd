-- Active records whose emissions Dcycle has not calculated yet: their kilograms are missing from every total; the 30 pending longest.
SELECT coalesce(f.name, w.facility_id) AS facility, coalesce(o.name, w.organization_id) AS organization, w.record_label,
    w.start_date, w.end_date, w.water_in_m3, w.pending_since, count(*) OVER (PARTITION BY true) AS in_all
FROM summaries.pending_records AS w
LEFT JOIN dcycle.facilities AS f USING (organization_id, facility_id)
LEFT JOIN dcycle.organizations AS o USING (organization_id)
LEFT JOIN summaries.listed_twice AS t ON t.endpoint = 'waste_water_treatments' AND NOT t.is_counted
    AND t.organization_id = w.organization_id AND t.item_id = w.waste_water_treatment_id
WHERE t.item_id IS NULL
ORDER BY w.pending_since, w.end_date DESC, w.organization_id, w.waste_water_treatment_id
LIMIT 30
