"""Declares the figures of whole trees: of an organisation and all below it. They have tables of their own, because each tree
holds the trees below it: rows of trees never add up over organisations.
"""

from dcycle_pipeline.summaries.declaration import (
    OF_TREE,
    Summary,
    coverage,
    measures,
    month,
    of_tree,
    records,
    tree_organization_id,
    year,
    year_on_year,
)
from dcycle_pipeline.summaries.missing import MISSING, missing_member_count
from dcycle_pipeline.summaries.months import EMISSIONS_BY_ORGANIZATION_MONTH, TREE
from dcycle_pipeline.summaries.years import EMISSIONS_BY_ORGANIZATION_YEAR

_OWN_MONTHS = EMISSIONS_BY_ORGANIZATION_MONTH.qualified
_OWN_YEARS = EMISSIONS_BY_ORGANIZATION_YEAR.qualified

TREE_EMISSIONS_BY_MONTH = Summary(
    "summaries",
    "tree_emissions_by_month",
    "One row per organisation whose tree it is and calendar month for which records of it, or of an organisation below it, are expected",
    ("tree_organization_id", "month"),
    (
        tree_organization_id(TREE),
        month(),
        *of_tree(measures(_OWN_MONTHS, OF_TREE)),
        *of_tree(records(_OWN_MONTHS, "month", OF_TREE)),
        *of_tree(coverage(_OWN_MONTHS, "month", OF_TREE)),
        missing_member_count(),
    ),
    _OWN_MONTHS,
    sources=(TREE, _OWN_MONTHS, MISSING),
)

TREE_EMISSIONS_BY_YEAR = Summary(
    "summaries",
    "tree_emissions_by_year",
    "One row per organisation whose tree it is and calendar year for which records of it, or of an organisation below it, are expected",
    ("tree_organization_id", "year"),
    (
        tree_organization_id(TREE),
        year(),
        *of_tree(measures(_OWN_YEARS, OF_TREE)),
        *of_tree(records(_OWN_YEARS, "year", OF_TREE)),
        *of_tree(coverage(_OWN_YEARS, "year", OF_TREE)),
        *year_on_year("co2e_kg", "missing_member_count is 0"),
        missing_member_count(),
    ),
    _OWN_YEARS,
    sources=(TREE, _OWN_YEARS, MISSING),
)
