-- What exists in the account and adds nothing to the figures of the year, or too little, and why.
WITH of_year AS (
    SELECT * FROM summaries.counted_records WHERE year(start_date) <= $year AND year(end_date) >= $year
), excluded AS (
    SELECT 1 AS place, 'Organisations that the settings exclude' AS exclusion, (SELECT count(*) FROM sync.excluded_organizations) AS things_count
    UNION ALL SELECT 2, 'Organisations that are missing or were not received completely',
        (SELECT count(DISTINCT member_organization_id) FROM summaries.missing_members
            WHERE member_organization_id NOT IN (SELECT organization_id FROM sync.excluded_organizations))
    UNION ALL SELECT 3, 'Records of the year whose emissions are pending',
        (SELECT count(*) FROM of_year WHERE is_counted(status, start_date, end_date) AND co2e_state = 'pending')
    UNION ALL SELECT 4, 'Records of the year that are not active: uploaded, loading or in error',
        (SELECT count(*) FROM of_year WHERE NOT is_counted(status, start_date, end_date))
    UNION ALL SELECT 5, 'Items that could not be used', (SELECT count(*) FROM ($current_quarantine))
    UNION ALL SELECT 6, 'Facilities without any waste-water record', (SELECT count(*) FROM dcycle.facilities AS f WHERE NOT EXISTS (
        SELECT 1 FROM dcycle.waste_water_treatments AS w WHERE w.organization_id = f.organization_id AND w.facility_id = f.facility_id))
)
SELECT exclusion, things_count FROM excluded WHERE things_count > 0 ORDER BY place
