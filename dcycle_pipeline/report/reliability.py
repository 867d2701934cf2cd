"""Declares the chapters on how far the figures can be trusted: coverage, what is pending, what was restated, how fresh they are."""

from dcycle_pipeline.report.cells import (
    COUNT,
    DAY,
    EXACT,
    FLAG,
    MOMENT,
    MONTH,
    SHARE,
    TONNES,
    TONNES_CHANGE,
    VOLUME,
    WORDS,
)
from dcycle_pipeline.report.columns import BIOGENIC_KILOGRAMS, DAYS_COVERED, FACILITY, FACILITY_COUNT, ORGANIZATION
from dcycle_pipeline.report.figures import Figure, Section, Shown

COVERAGE = Section(
    "coverage",
    "Coverage",
    "Days with at least one active record. What is missing is shown, never estimated. The days of an overlap count twice in every total.",
    (
        Figure(
            "coverage",
            "Days covered by facility and month",
            (
                FACILITY,
                Shown("month", "Month", MONTH),
                DAYS_COVERED,
                Shown("overlap_days", "days twice", COUNT),
                Shown("missing_days", "days missing in all", COUNT),
            ),
            note="Each cell is the number of days covered; a mark means that some of them are covered twice. Facilities that miss most days come first.",
            of_group=True,
            limited="facilities",
            limited_by=("organization_id", "facility_id"),
            layout="heat",
            legend=(
                ("step-0", "no day"),
                ("step-1", "less than a third"),
                ("step-2", "less than two thirds"),
                ("step-3", "less than all"),
                ("step-4", "every day"),
                ("step-4 twice", "some days twice"),
            ),
        ),
        Figure(
            "gaps",
            "Gaps and overlaps",
            (
                FACILITY,
                ORGANIZATION,
                Shown("kind", "Kind", WORDS),
                Shown("first_date", "First day", DAY),
                Shown("last_date", "Last day", DAY),
                Shown("days", "days", COUNT),
                Shown("record_count", "records", COUNT),
            ),
            empty="Between the first and the last record of each facility every day is covered once.",
            limited="stretches",
            folded=True,
        ),
    ),
)

TRUST = Section(
    "trust",
    "Missing or in doubt",
    "Pending records are counted, but their emissions are never taken for zero. Data is complete if every row of it was received and the "
    "count of Dcycle agrees. If it is not, the rows that were received last stay.",
    (
        Figure(
            "quality",
            "Records by organisation",
            (
                ORGANIZATION,
                Shown("active_record_count", "active", COUNT),
                Shown("pending_record_count", "of them pending", COUNT),
                Shown("pending_share", "share pending", SHARE),
                Shown("uploaded_record_count", "uploaded", COUNT),
                Shown("loading_record_count", "loading", COUNT),
                Shown("error_record_count", "in error", COUNT),
                Shown("proven_list_count", "lists complete", COUNT),
                Shown("unproven_list_count", "incomplete", COUNT),
                Shown("never_proven_count", "never complete", COUNT),
                Shown("quarantined_count", "unusable items", COUNT),
                Shown("doubtful_row_count", "rows in doubt", COUNT),
                Shown("oldest_proof_at", "others complete since", MOMENT, "never"),
            ),
            limited="organisations",
        ),
        Figure(
            "missing_members",
            "Groups that lack a member",
            (
                ORGANIZATION,
                Shown("member", "Lacks"),
                Shown("reason", "Why", WORDS),
            ),
            note="Figures of an organisation with its subsidiaries are too low, or old, by what these members miss.",
            empty="Every organisation's figures with its subsidiaries are whole.",
            limited="members",
            needs="summaries.missing_members",
        ),
        Figure(
            "pending",
            "Records whose emissions are pending",
            (
                FACILITY,
                ORGANIZATION,
                Shown("record_label", "Label"),
                Shown("start_date", "First day", DAY),
                Shown("end_date", "Last day", DAY),
                Shown("water_in_m3", "water in, m³", VOLUME),
                Shown("pending_since", "pending since", MOMENT),
            ),
            empty="No active record is pending.",
            limited="records",
            needs="summaries.pending_records",
            folded=True,
        ),
        Figure(
            "unproven",
            "Data that could not be received completely",
            (
                ORGANIZATION,
                Shown("data", "Data", WORDS),
                Shown("cause", "Cause", WORDS),
                Shown("list_count", "lists", COUNT),
                Shown("facility", "Facility", missing=""),
                Shown("finished_at", "asked", MOMENT),
            ),
            note="If access is refused, give the key access to the organisation in Dcycle. The command dcycle-pipeline status says what to do "
            "about each list.",
            empty="All data was received completely.",
            limited="rows",
        ),
        Figure(
            "doubtful",
            "Rows in doubt",
            (
                ORGANIZATION,
                Shown("data", "Data", WORDS),
                FACILITY,
                Shown("item_id", "Row"),
                Shown("reason", "Why"),
                Shown("doubtful_since", "since", MOMENT),
            ),
            empty="No row is in doubt.",
            limited="rows",
            needs="sync.doubtful_rows",
        ),
        Figure(
            "listed_twice",
            "Listed by several organisations",
            (
                FACILITY,
                Shown("data", "Data", WORDS),
                Shown("item_id", "Row"),
                Shown("organizations", "Organisations"),
                Shown("counted_in", "counts in"),
            ),
            note="Each counts once, in the deepest organisation of the tree that lists it. Ask Dcycle whose it is.",
            empty="One organisation lists each facility and record.",
            limited="rows",
            needs="summaries.listed_twice",
        ),
        Figure(
            "quarantined",
            "Items that could not be used",
            (
                ORGANIZATION,
                Shown("data", "Data", WORDS),
                FACILITY,
                Shown("item_id", "Item"),
                Shown("reason", "Why"),
                Shown("quarantined_at", "when", MOMENT),
            ),
            empty="Every item could be used.",
            limited="items",
        ),
    ),
)

RESTATEMENTS = Section(
    "restatements",
    "Restatements",
    "Numbers that were published before and have changed since, by cause. The first publication restates nothing.",
    (
        Figure(
            "restatements",
            "What publications changed",
            (
                Shown("published_at", "Published", MOMENT),
                ORGANIZATION,
                Shown("cause", "Cause", WORDS),
                Shown("first_month", "First month", MONTH),
                Shown("last_month", "Last month", MONTH),
                FACILITY_COUNT,
                Shown("co2e_kg", "t CO₂e changed", TONNES_CHANGE),
                Shown("co2e_biomass_kg", "t biogenic, separate", TONNES),
                Shown("co2e_kg", "kg CO₂e changed", EXACT),
                BIOGENIC_KILOGRAMS,
            ),
            empty="Nothing that was published before has changed.",
            limited="restatements",
            needs="summaries.restatements",
        ),
    ),
)

FRESHNESS = Section(
    "freshness",
    "Freshness",
    "When the numbers were published.",
    (
        Figure(
            "runs",
            "Last publications",
            (
                Shown("published_at", "Published", MOMENT),
                Shown("outcome", "Data", WORDS),
                Shown("organizations_count", "organisations", COUNT),
                Shown("rows_count", "rows", COUNT),
                Shown("lists_proven_count", "lists complete", COUNT),
                Shown("lists_unproven_count", "lists incomplete", COUNT),
                Shown("quarantined_count", "unusable items", COUNT),
                Shown("content_changed", "changed", FLAG),
            ),
            limited="publications",
        ),
    ),
)
