-- Facilities and records that several organisations list at the same time, and where each of them counts. A facility counts in the
-- deepest organisation that lists it: a holding that shows the plants of its subsidiary does not own them. Records follow it.
WITH homes AS (
    SELECT facility_id, organization_id, first_value(organization_id) OVER (
            PARTITION BY facility_id ORDER BY depth DESC NULLS LAST, organization_id
        ) AS counted_organization_id
    FROM dcycle.facilities
    LEFT JOIN dcycle.organizations AS organizations USING (organization_id)
    WHERE facility_id IN (SELECT facility_id FROM dcycle.facilities GROUP BY facility_id HAVING count(*) > 1)
), doubles AS (
    SELECT organization_id, facility_id, waste_water_treatment_id
    FROM dcycle.waste_water_treatments
    WHERE waste_water_treatment_id IN (
        SELECT waste_water_treatment_id FROM dcycle.waste_water_treatments GROUP BY waste_water_treatment_id HAVING count(*) > 1
    )
), ranked AS (
    -- The row in the facility's own organisation counts; if there is none, one of an organisation that lists the facility.
    SELECT doubles.*, coalesce(homes.counted_organization_id, doubles.organization_id) AS home, row_number() OVER (
            PARTITION BY waste_water_treatment_id
            ORDER BY home = doubles.organization_id DESC, facilities.facility_id IS NULL, depth DESC NULLS LAST, doubles.organization_id
        ) AS place
    FROM doubles
    LEFT JOIN homes USING (organization_id, facility_id)
    LEFT JOIN dcycle.facilities AS facilities USING (organization_id, facility_id)
    LEFT JOIN dcycle.organizations AS organizations USING (organization_id)
)
SELECT 'facilities' AS endpoint, facility_id AS item_id, organization_id, facility_id, counted_organization_id,
    organization_id = counted_organization_id AS is_counted
FROM homes
UNION ALL
SELECT 'waste_water_treatments', waste_water_treatment_id, organization_id, facility_id,
    first_value(home) OVER (PARTITION BY waste_water_treatment_id ORDER BY place), place = 1
FROM ranked
