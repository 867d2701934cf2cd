-- Adds up the years of the facilities by scope. The first line of summaries.scope_mapping that fits gives a facility its scope.
WITH facilities AS (
    SELECT DISTINCT organization_id, facility_id, facility_type
    FROM summaries.wwt_intensity_by_facility_year
    LEFT JOIN dcycle.facilities USING (organization_id, facility_id)
), fitting AS (
    SELECT facilities.organization_id, facilities.facility_id, min(mapping.line) AS line
    FROM facilities
    JOIN summaries.scope_mapping AS mapping
        ON (mapping.organization_id IS NULL OR mapping.organization_id = facilities.organization_id)
        AND (mapping.facility_id IS NULL OR mapping.facility_id = facilities.facility_id)
        AND (mapping.facility_type IS NULL OR mapping.facility_type = facilities.facility_type)
    GROUP BY facilities.organization_id, facilities.facility_id
), mapped AS (
    SELECT years.*, mapping.scope, mapping.category,
        CASE WHEN mapping.line IS NULL THEN 'unmapped' WHEN mapping.category IS NULL THEN 'scope ' || mapping.scope
            ELSE 'scope ' || mapping.scope || ' category ' || mapping.category END AS scope_name
    FROM summaries.wwt_intensity_by_facility_year AS years
    LEFT JOIN fitting USING (organization_id, facility_id)
    LEFT JOIN summaries.scope_mapping AS mapping USING (line)
)
SELECT organization_id, scope_name, scope, category, year,
    sum(co2e_kg) AS co2e_kg, sum(co2e_biomass_kg) AS co2e_biomass_kg,
    sum(water_in_m3) AS water_in_m3, sum(water_out_m3) AS water_out_m3, sum(sludge_kg) AS sludge_kg,
    sum(record_count)::BIGINT AS record_count, sum(pending_record_count)::BIGINT AS pending_record_count,
    count(*) AS facility_count, sum(covered_days)::BIGINT AS covered_days, sum(due_days)::BIGINT AS due_days
FROM mapped
GROUP BY organization_id, scope_name, scope, category, year
