-- By how many kilograms a publication changed months that had been published before, by cause; the 50 latest.
SELECT r.published_at, coalesce(o.name, r.organization_id) AS organization,
    CASE r.cause WHEN 'settled' THEN 'no longer pending' ELSE replace(r.cause, '_', ' ') END AS cause, min(r.month) AS first_month,
    max(r.month) AS last_month, count(DISTINCT r.facility_id) AS facility_count, sum(r.co2e_kg) AS co2e_kg,
    sum(r.co2e_biomass_kg) AS co2e_biomass_kg, count(*) OVER (PARTITION BY true) AS in_all
FROM summaries.restatements AS r LEFT JOIN dcycle.organizations AS o USING (organization_id)
GROUP BY r.published_at, r.organization_id, o.name, r.cause
ORDER BY r.published_at DESC, r.organization_id, r.cause
LIMIT 50
