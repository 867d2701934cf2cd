-- Emissions of the year by scope of the GHG Protocol, by summaries.scope_mapping; facilities that no line maps are unmapped.
SELECT scope_name, sum(co2e_kg) AS co2e_kg, sum(co2e_biomass_kg) AS co2e_biomass_kg, sum(water_in_m3) AS water_in_m3,
    sum(facility_count)::BIGINT AS facility_count, sum(pending_record_count)::BIGINT AS pending_record_count
FROM summaries.emissions_by_scope_year
WHERE year = $year
GROUP BY scope_name
ORDER BY scope_name
