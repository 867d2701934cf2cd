-- By how much each publication changed what the one before said, by facility, month and cause. A version of a record adds its
-- shares when it begins and takes them away when it ends, each time for the cause of that change. So the rows between two
-- publications add up exactly to the difference between what these two said. A figure that moved otherwise did so because its
-- records count otherwise than before, e.g. in another organisation that lists the facility too.
WITH publications AS (
    SELECT run_id, published_at FROM sync.runs WHERE outcome IN ('published', 'published_with_gaps')
), first_publication AS (
    SELECT min(published_at) AS published_at FROM publications
), versions AS (
    SELECT *, lead(change) OVER (PARTITION BY organization_id, waste_water_treatment_id ORDER BY valid_from) AS next_change
    FROM history.waste_water_treatments
    WHERE (organization_id, waste_water_treatment_id) IN (
        -- Only records that changed after the first publication: all others restate nothing.
        SELECT DISTINCT (organization_id, waste_water_treatment_id) FROM history.waste_water_treatments
        WHERE greatest(valid_from, valid_to) > (SELECT published_at FROM first_publication)
    )
), counted AS (
    SELECT * FROM versions WHERE is_counted(status, start_date, end_date) AND valid_to IS DISTINCT FROM valid_from
), moves AS (
    SELECT *, valid_from AS moment, change AS cause, 1 AS direction FROM counted
    UNION ALL
    SELECT *, valid_to AS moment, next_change AS cause, -1 AS direction FROM counted WHERE valid_to IS NOT NULL
), months AS (
    SELECT *, unnest(months_touched(start_date, end_date)) AS month, day_count(start_date, end_date) AS days
    FROM moves
    WHERE moment > (SELECT published_at FROM first_publication)
), shares AS (
    SELECT *, greatest(start_date, month) - start_date AS days_before, least(end_date, last_day(month)) - start_date + 1 AS days_until
    FROM months
), published AS (
    SELECT shares.*, publications.run_id AS publishing_run_id, publications.published_at
    FROM shares ASOF JOIN publications ON shares.moment <= publications.published_at
), caused AS (
    SELECT published_at, publishing_run_id AS run_id, organization_id, facility_id, month, cause,
        coalesce(sum(direction * part(co2e_kg, days_before, days_until, days)), 0) AS co2e_kg,
        coalesce(sum(direction * part(co2e_biomass_kg, days_before, days_until, days)), 0) AS co2e_biomass_kg,
        count(DISTINCT waste_water_treatment_id) AS record_count
    FROM published
    GROUP BY ALL
), figures AS (
    SELECT *, unnest([valid_from, valid_to]) AS moment, unnest([1, -1]) AS direction
    FROM history.emissions_by_facility_month
    WHERE greatest(valid_from, valid_to) > (SELECT published_at FROM first_publication)
), said AS (
    SELECT publications.published_at, publications.run_id, organization_id, facility_id, month,
        coalesce(sum(direction * co2e_kg), 0) AS co2e_kg, coalesce(sum(direction * co2e_biomass_kg), 0) AS co2e_biomass_kg
    FROM figures ASOF JOIN publications ON figures.moment <= publications.published_at
    WHERE moment > (SELECT published_at FROM first_publication)
    GROUP BY ALL
), otherwise AS (
    SELECT published_at, run_id, organization_id, facility_id, month, 'counted_otherwise' AS cause,
        sum(co2e_kg)::DECIMAL(38, 9) AS co2e_kg, sum(co2e_biomass_kg)::DECIMAL(38, 9) AS co2e_biomass_kg, 0 AS record_count
    FROM (
        SELECT published_at, run_id, organization_id, facility_id, month, co2e_kg, co2e_biomass_kg FROM said
        UNION ALL
        SELECT published_at, run_id, organization_id, facility_id, month, -co2e_kg, -co2e_biomass_kg FROM caused
    )
    GROUP BY ALL
)
SELECT * FROM (FROM caused UNION ALL FROM otherwise) WHERE co2e_kg <> 0 OR co2e_biomass_kg <> 0
