-- Facilities and records that several organisations hold at the same time, and where each of them counts. A facility counts in the
-- deepest organisation that lists it: a holding that shows the plants of its subsidiary does not own them. If one began to list it
-- after another was last read, it seems to have moved there, and counts there until that one is read again. Records follow it. Of the
-- rows of a record the one counts that was read last. A record is gone if a later list of another organisation lacks it, to which its
-- facility moved or which showed it before: it does not count, until its own list is read again.
WITH shared AS (
    SELECT DISTINCT mine.organization_id, facility_id, other.organization_id AS other_id
    FROM (
        SELECT organization_id, facility_id FROM dcycle.facilities
        UNION SELECT organization_id, facility_id FROM dcycle.waste_water_treatments
    ) AS mine
    JOIN dcycle.facilities AS other USING (facility_id)
    WHERE mine.organization_id <> other.organization_id
), facilities AS (
    SELECT version.organization_id, version.facility_id, any_value(depth) AS depth,
        max(began.valid_from) AS began_at, arg_max(began.run_id, began.valid_from) AS began_run_id,
        bool_and(version.change <> 'unlisted' AND doubt.item_id IS NULL) AS is_shown
    FROM history.facilities AS version
    LEFT JOIN history.facilities AS began ON began.organization_id = version.organization_id
        AND began.facility_id = version.facility_id AND began.change IN ('new', 'restored')
    LEFT JOIN dcycle.organizations AS organizations ON organizations.organization_id = version.organization_id
    LEFT JOIN last_doubtful_rows AS doubt ON doubt.endpoint = 'facilities'
        AND doubt.organization_id = version.organization_id AND doubt.item_id = version.facility_id
    WHERE version.valid_to IS NULL AND version.facility_id IN (SELECT facility_id FROM shared)
    GROUP BY version.organization_id, version.facility_id
), moved AS (
    -- What one run read, it read at the same time.
    SELECT shared.*
    FROM shared
    JOIN facilities AS other ON other.organization_id = other_id AND other.facility_id = shared.facility_id
    JOIN last_reads AS mine ON mine.endpoint = 'facilities' AND mine.organization_id = shared.organization_id
    WHERE other.is_shown AND other.began_run_id <> mine.run_id AND other.began_at > mine.read_at
    UNION
    SELECT shared.*
    FROM shared
    JOIN history.facilities AS was USING (organization_id, facility_id)
    JOIN sync.lists AS list ON list.run_id = was.run_id AND list.endpoint = 'facilities' AND list.organization_id = shared.organization_id
    WHERE was.change = 'deleted' AND list.outcome = 'proven'
        AND (shared.organization_id, shared.facility_id) NOT IN (SELECT (organization_id, facility_id) FROM facilities)
), homes AS (
    SELECT facility_id, organization_id, first_value(organization_id) OVER (
            PARTITION BY facility_id ORDER BY (organization_id, facility_id) IN (SELECT (organization_id, facility_id) FROM moved),
                depth DESC NULLS LAST, organization_id
        ) AS counted_organization_id
    FROM facilities
    WHERE facility_id IN (SELECT facility_id FROM facilities GROUP BY facility_id HAVING count(*) > 1)
), later AS (
    SELECT shared.*, read.read_at, read.run_id, read.last_run_id, moved.other_id IS NOT NULL AS has_moved
    FROM shared
    JOIN last_reads AS read ON read.endpoint = 'waste_water_treatments' AND read.organization_id = other_id
        AND read.facility_id = shared.facility_id AND read.distinct_ids_count > 0  -- else it may not see the records of the facility
    LEFT JOIN moved ON moved.organization_id = shared.organization_id AND moved.facility_id = shared.facility_id
        AND moved.other_id = shared.other_id
), doubles AS (
    SELECT waste_water_treatment_id FROM dcycle.waste_water_treatments GROUP BY waste_water_treatment_id HAVING count(*) > 1
), records AS (
    SELECT version.organization_id, version.facility_id, waste_water_treatment_id,
        doubles.waste_water_treatment_id IS NOT NULL AS is_double,
        coalesce(read.read_at, '-infinity'::TIMESTAMPTZ) AS read_at, coalesce(read.run_id, '') AS read_run_id,
        change <> 'unlisted' AND doubt.item_id IS NULL AND NOT EXISTS (
            FROM sync.quarantine AS bad WHERE bad.run_id = read.last_run_id AND bad.endpoint = 'waste_water_treatments'
                AND bad.organization_id = version.organization_id AND bad.item_id = waste_water_treatment_id
        ) AS is_shown
    FROM history.waste_water_treatments AS version
    LEFT JOIN doubles USING (waste_water_treatment_id)
    LEFT JOIN last_reads AS read ON read.endpoint = 'waste_water_treatments'
        AND read.organization_id = version.organization_id AND read.facility_id = version.facility_id
    LEFT JOIN last_doubtful_rows AS doubt ON doubt.endpoint = 'waste_water_treatments'
        AND doubt.organization_id = version.organization_id AND doubt.item_id = waste_water_treatment_id
    WHERE valid_to IS NULL AND (doubles.waste_water_treatment_id IS NOT NULL
        OR (version.organization_id, version.facility_id) IN (SELECT (organization_id, facility_id) FROM later))
), gone AS (
    SELECT records.organization_id, waste_water_treatment_id, min(other_id) AS other_id
    FROM records
    JOIN later USING (organization_id, facility_id)
    WHERE later.run_id <> read_run_id AND later.read_at > records.read_at AND NOT EXISTS (
            FROM records AS other WHERE other.waste_water_treatment_id = records.waste_water_treatment_id AND other.organization_id = other_id
        ) AND NOT EXISTS (
            FROM sync.quarantine AS bad WHERE bad.run_id = later.last_run_id AND bad.endpoint = 'waste_water_treatments'
                AND bad.organization_id = other_id AND bad.item_id IN ('', records.waste_water_treatment_id)
        ) AND (has_moved OR EXISTS (
            FROM history.waste_water_treatments AS shown WHERE shown.organization_id = other_id
                AND shown.waste_water_treatment_id = records.waste_water_treatment_id))
    GROUP BY records.organization_id, waste_water_treatment_id
), older AS (
    SELECT DISTINCT mine.organization_id, waste_water_treatment_id
    FROM records AS mine
    JOIN records AS other USING (waste_water_treatment_id)
    WHERE other.is_shown AND other.read_run_id <> mine.read_run_id AND other.read_at > mine.read_at
        AND other.organization_id <> mine.organization_id
), ranked AS (
    -- The row in the facility's own organisation counts; if there is none, one of an organisation that lists the facility.
    SELECT records.*, gone.other_id IS NOT NULL AS is_gone, coalesce(homes.counted_organization_id, gone.other_id, organization_id) AS home,
        row_number() OVER (PARTITION BY waste_water_treatment_id ORDER BY gone.other_id IS NOT NULL, older.organization_id IS NOT NULL,
            coalesce(homes.counted_organization_id = organization_id, true) DESC, facilities.facility_id IS NULL,
            organizations.depth DESC NULLS LAST, organization_id) AS place
    FROM records
    LEFT JOIN homes USING (organization_id, facility_id)
    LEFT JOIN gone USING (organization_id, waste_water_treatment_id)
    LEFT JOIN older USING (organization_id, waste_water_treatment_id)
    LEFT JOIN dcycle.facilities AS facilities USING (organization_id, facility_id)
    LEFT JOIN dcycle.organizations AS organizations USING (organization_id)
    WHERE is_double OR gone.other_id IS NOT NULL
)
SELECT 'facilities' AS endpoint, facility_id AS item_id, organization_id, facility_id, counted_organization_id,
    organization_id = counted_organization_id AS is_counted
FROM homes
UNION ALL
SELECT 'waste_water_treatments', waste_water_treatment_id, organization_id, facility_id,
    first_value(home) OVER (PARTITION BY waste_water_treatment_id ORDER BY place), place = 1 AND NOT is_gone
FROM ranked
