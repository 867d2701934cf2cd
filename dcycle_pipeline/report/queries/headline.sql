-- The year of the report for the whole group: the organisations at the top of the tree, with all organisations below them.
-- The intensity is a ratio of the two sums of calculated_months: those over the months in which nothing is pending. overlap_days are
-- days that several records cover; overlap_month_count are the months of facilities with such days, in the year and the one before.
WITH calculated AS (
    SELECT sum(calculated_months_co2e_kg) AS co2e_kg, sum(calculated_months_water_in_m3) AS water_in_m3
    FROM summaries.wwt_intensity_by_facility_year WHERE year = $year
), twice AS (
    SELECT coalesce(sum(overlap_days) FILTER (year(month) = $year), 0)::BIGINT AS overlap_days,
        count(*) FILTER (overlap_days > 0) AS overlap_month_count
    FROM summaries.coverage_by_facility_month WHERE year(month) IN ($year, $year - 1)
), due AS (
    SELECT sum(due_days)::BIGINT AS due_days, bool_or(is_open) AS is_open FROM ($due) WHERE year = $year
)
SELECT sum(e.co2e_kg) AS co2e_kg, sum(e.co2e_biomass_kg) AS co2e_biomass_kg,
    sum(e.water_in_m3) AS water_in_m3, sum(e.sludge_kg) AS sludge_kg,
    sum(e.record_count)::BIGINT AS record_count,
    sum(e.pending_record_count)::BIGINT AS pending_record_count,
    sum(e.missing_member_count)::BIGINT AS missing_member_count,
    sum(e.facility_count)::BIGINT AS facility_count,
    sum(e.covered_days)::BIGINT AS covered_days, any_value(due.due_days) AS due_days,
    ratio(sum(e.covered_days), any_value(due.due_days)) AS covered_share,
    any_value(t.overlap_days) AS overlap_days, any_value(t.overlap_month_count) AS overlap_month_count,
    CASE count(*) WHEN 1 THEN any_value(e.co2e_kg_year_on_year) END AS year_on_year,
    CASE WHEN count(*) > 1 THEN 'several organisations stand at the top of the tree'
        WHEN any_value(due.is_open) THEN 'the year is not over' ELSE any_value(e.year_on_year_reason) END AS year_on_year_reason,
    any_value(c.co2e_kg) AS calculated_months_co2e_kg, any_value(c.water_in_m3) AS calculated_months_water_in_m3,
    ratio(any_value(c.co2e_kg), any_value(c.water_in_m3)) AS co2e_kg_per_m3_in
FROM summaries.tree_emissions_by_year AS e, calculated AS c, twice AS t, due
WHERE e.year = $year AND e.tree_organization_id NOT IN (SELECT member_organization_id FROM summaries.organization_tree WHERE steps_below > 0)
HAVING count(*) > 0
