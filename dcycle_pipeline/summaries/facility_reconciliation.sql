-- Compares each facility's reported total with its waste-water records. These are a part of the total: never add the two.
WITH facilities AS (
    -- A facility that several organisations list stands where it counts.
    SELECT facilities.*
    FROM dcycle.facilities AS facilities
    LEFT JOIN summaries.listed_twice AS twice ON twice.endpoint = 'facilities' AND NOT twice.is_counted
        AND twice.item_id = facilities.facility_id AND twice.organization_id = facilities.organization_id
    WHERE twice.item_id IS NULL
), records AS (
    SELECT organization_id, facility_id, count(*) AS record_count, count(*) FILTER (co2e_state = 'pending') AS pending_record_count
    FROM summaries.counted_records
    WHERE is_counted(status, start_date, end_date)
    GROUP BY organization_id, facility_id
), sums AS (
    SELECT organization_id, facility_id, sum(co2e_kg) AS wwt_co2e_kg
    FROM summaries.wwt_intensity_by_facility_year
    GROUP BY organization_id, facility_id
), sides AS (
    SELECT organization_id, facility_id, facilities.co2e_kg AS facility_co2e_kg, sums.wwt_co2e_kg,
        coalesce(records.record_count, 0) AS record_count, coalesce(records.pending_record_count, 0) AS pending_record_count
    FROM facilities
    FULL JOIN records USING (organization_id, facility_id)
    LEFT JOIN sums USING (organization_id, facility_id)
)
SELECT *, facility_co2e_kg - wwt_co2e_kg AS remainder_co2e_kg,
    CASE WHEN record_count = 0 THEN 'no_records'
        WHEN wwt_co2e_kg IS NULL THEN 'nothing_calculated'
        WHEN facility_co2e_kg IS NULL OR (facility_co2e_kg = 0 AND wwt_co2e_kg > 0) THEN 'total_not_known'
        -- A gram is allowed for rounding: Dcycle adds up the total and rounds it.
        WHEN wwt_co2e_kg > facility_co2e_kg + 0.001 THEN 'exceeds_total'
        ELSE 'within_total' END AS verdict,
    CASE verdict
        WHEN 'no_records' THEN 'The facility has no active waste-water record.'
        WHEN 'nothing_calculated' THEN 'All its waste-water records are pending.'
        WHEN 'total_not_known' THEN 'Dcycle reports no total of the facility, or zero, which the legacy API sends for none.'
        WHEN 'exceeds_total' THEN 'The waste-water records emit more than the reported total, of which they are a part: '
            || 'the total may be out of date or of another period, or records overlap.'
        ELSE 'The waste-water records are part of the reported total.' END
    || CASE WHEN pending_record_count > 0 AND wwt_co2e_kg IS NOT NULL
        THEN ' ' || pending_record_count || ' pending would come on top.' ELSE '' END AS explanation
FROM sides
