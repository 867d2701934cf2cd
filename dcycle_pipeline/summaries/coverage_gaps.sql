-- For each facility, between its first and last covered day: stretches of days without an active record, and with several.
WITH facilities AS (
    -- Numbers instead of two ids: everything below sorts by facility, and numbers sort faster.
    SELECT organization_id, facility_id, row_number() OVER () AS facility
    FROM (SELECT DISTINCT organization_id, facility_id FROM summaries.counted_records)
), reached AS (
    SELECT facility, start_date, end_date, max(end_date) OVER (
            PARTITION BY facility ORDER BY start_date ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS covered_until
    FROM summaries.counted_records
    JOIN facilities USING (organization_id, facility_id)
    WHERE is_counted(status, start_date, end_date)
), pieces AS (
    SELECT facility, start_date > covered_until AS is_gap, least(start_date, covered_until + 1) AS first_date,
        CASE WHEN is_gap THEN start_date - 1 ELSE least(end_date, covered_until) END AS last_date
    FROM reached
    WHERE start_date <> covered_until + 1
), starts AS (
    -- Pieces of the same kind that touch are one stretch. Two gaps never touch: there is always a covered day between them.
    SELECT *, coalesce(first_date > 1 + max(last_date) OVER (
            PARTITION BY facility, is_gap ORDER BY first_date ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), true) AS starts_stretch
    FROM pieces
), numbered AS (
    SELECT facility, is_gap, first_date, last_date, sum(starts_stretch::INTEGER) OVER (
            PARTITION BY facility, is_gap ORDER BY first_date, starts_stretch DESC ROWS UNBOUNDED PRECEDING
        )::BIGINT AS number
    FROM starts
), stretches AS MATERIALIZED (
    SELECT facility, is_gap, number, min(first_date) AS first_date, max(last_date) AS last_date
    FROM numbered
    GROUP BY facility, is_gap, number
), touching AS (
    -- The overlaps of a facility are in order, so a record touches all of them from the first that it touches to the last.
    SELECT facilities.facility, waste_water_treatment_id, unnest(range(first_touched.number, last_touched.number + 1)) AS number
    FROM summaries.counted_records AS records
    JOIN facilities USING (organization_id, facility_id)
    ASOF JOIN (FROM stretches WHERE NOT is_gap) AS first_touched
        ON first_touched.facility = facilities.facility AND records.start_date <= first_touched.last_date
    ASOF JOIN (FROM stretches WHERE NOT is_gap) AS last_touched
        ON last_touched.facility = facilities.facility AND records.end_date >= last_touched.first_date
    WHERE is_counted(status, start_date, end_date)
), named AS (
    SELECT facility, false AS is_gap, number, count(*) AS record_count, list_sort(list(waste_water_treatment_id))[:20] AS record_ids
    FROM touching
    GROUP BY facility, number
)
SELECT organization_id, facility_id, CASE WHEN is_gap THEN 'gap' ELSE 'overlap' END AS kind, first_date, last_date,
    day_count(first_date, last_date) AS days, coalesce(record_count, 0) AS record_count, coalesce(record_ids, []) AS record_ids
FROM stretches
JOIN facilities USING (facility)
LEFT JOIN named USING (facility, is_gap, number)
