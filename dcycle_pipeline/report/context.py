"""Declares what puts the figures in their place: beside Dcycle's own total, and the boundary and method on which they rest."""

from dcycle_pipeline.report.cells import COUNT, EXACT, MONTH, PHRASE, SHARE, TONNES, WORDS
from dcycle_pipeline.report.columns import ORGANIZATION
from dcycle_pipeline.report.figures import Figure, Section, Shown

COMPARISON = Section(
    "comparison",
    "Beside the total of Dcycle",
    "Waste water is a part of what an organisation emits. Dcycle totals all its sources; this chapter says how large that part is, and "
    "every known reason why the two differ.",
    (
        Figure(
            "comparison",
            "Waste water and all sources",
            (
                Shown("organization", "Organisation", PHRASE),
                Shown("ours_co2e_kg", "t CO₂e, waste water", TONNES, "pending"),
                Shown("theirs_co2e_kg", "t CO₂e, all sources", TONNES, "not known"),
                Shown("share", "share", SHARE),
                Shown("difference_co2e_kg", "t difference", TONNES),
                Shown("scope_1_co2e_kg", "t in scope 1", TONNES),
                Shown("scope_2_co2e_kg", "t in scope 2", TONNES),
                Shown("scope_3_co2e_kg", "t in scope 3", TONNES),
                Shown("ours_co2e_kg", "kg, waste water", EXACT, "pending"),
                Shown("theirs_co2e_kg", "kg, all sources", EXACT, "not known"),
                Shown("difference_co2e_kg", "kg difference", EXACT),
            ),
            note="Organisations that have waste-water records in the year, each without its subsidiaries. Scopes are those of the total "
            "of Dcycle. Waste water in own plants belongs to scope 1.",
            empty="No total of Dcycle is known for the year.",
            limited="rows",
            of_group=True,
            needs="summaries.total_impacts_comparison",
        ),
        Figure(
            "differences",
            "Why the two differ",
            (
                Shown("reason", "Reason", WORDS),
                Shown("things_count", "how many", COUNT),
                Shown("things", "of what", WORDS),
                Shown("concerned_co2e_kg", "t CO₂e concerned", TONNES),
                Shown("concerned_co2e_kg", "kg CO₂e concerned", EXACT),
            ),
            empty="No reason is known.",
            needs="summaries.total_impacts_comparison",
        ),
    ),
)

METHOD = (
    (
        "Standard",
        "Emissions in CO₂ equivalents, by scopes of the GHG Protocol. Waste water that is treated in own plants is in scope 1, waste "
        "water that others treat in scope 3, category 5.",
    ),
    (
        "Boundary",
        "All organisations and facilities of the Dcycle account that the key may read. Whether they are consolidated by operational "
        "control, financial control or equity share is not in the data: state it when you sign.",
    ),
    (
        "Calculation",
        "Dcycle calculates the emissions of each record. This report changes none of them: it spreads records over days, adds them up and "
        "counts what is missing. A pending record adds nothing and is never taken for zero.",
    ),
    (
        "Emission factors",
        "Dcycle gives results without the factors behind them, and without a split into CH₄ and N₂O. Its guides name MITECO for Spain and "
        "GHG Protocol for other countries, with DEFRA, EPA, IEA, AIB and REE as further sources. Ask Dcycle which version each record used.",
    ),
    (
        "Recalculation",
        "Dcycle recalculates earlier records when factors change. Each change of a published figure stands under Restatements, with its cause.",
    ),
)

BASIS = Section(
    "basis",
    "Boundary and method",
    "What the figures cover, how they come about, and what they leave out.",
    (
        Figure(
            "boundary",
            "Organisations of the report",
            (
                ORGANIZATION,
                Shown("parent_organization", "Belongs to"),
                Shown("active_facility_count", "active facilities", COUNT),
                Shown("archived_facility_count", "archived", COUNT),
                Shown("first_month", "records from", MONTH),
                Shown("last_month", "until", MONTH),
                Shown("received", "received", WORDS),
            ),
            limited="organisations",
        ),
        Figure(
            "exclusions",
            "What the figures leave out",
            (Shown("exclusion", "Left out", WORDS), Shown("things_count", "how many", COUNT)),
            empty="Nothing in the account is left out.",
            needs="summaries.missing_members",
        ),
    ),
    METHOD,
)
