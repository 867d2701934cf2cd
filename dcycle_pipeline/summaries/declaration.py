"""What the declaration of a summary consists of, and the columns that several share. Each summary is declared beside this file."""

from dataclasses import dataclass, replace

from dcycle_pipeline.schema import CUBIC_METRES, KILOGRAMS, KILOGRAMS_CO2E, TOTAL, Additivity, Column, Table

RATIO = "DECIMAL(28,9)"
WWT = "dcycle.waste_water_treatments"
COUNTED = "summaries.counted_records"
FACILITIES = "dcycle.facilities"
ORGANIZATIONS = "dcycle.organizations"
LISTS = "sync.lists"
QUARANTINE = "sync.quarantine"
EXCLUDED = "sync.excluded_organizations"
DOUBTFUL_ROWS = "sync.doubtful_rows"
MEASURES = ("co2e_kg", "co2e_biomass_kg", "water_in_m3", "water_out_m3", "sludge_kg")
RECORDS = ("record_count", "pending_record_count")
DAYS = ("covered_days", "due_days")
_NO_TREES = "organisations: each tree holds those below it"
OF_TREE = " of the organisation and all organisations below it in the tree"


@dataclass(frozen=True)
class Conserved:
    """Sums that must be equal to the last decimal: those of `columns` in the summary, and those of the same columns in `source`.

    `where` is an SQL condition: which rows of `source` count. `theirs` names the columns there if they have other names.
    """

    source: str
    columns: tuple[str, ...] = MEASURES
    where: str = "true"
    theirs: tuple[str, ...] = ()

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Each column of the summary with its column of the source."""
        return tuple(zip(self.columns, self.theirs or self.columns, strict=True))


@dataclass(frozen=True)
class Summary(Table):
    """A table whose rows are those that the SQL file of its name gives.

    `sources` names the tables that the file reads: it is made again if one of them changed. `conserves` are the sums that it must
    not change. `of_facility` are sources of which the rows of a facility are enough to make that facility's rows; if there are any,
    the summary is made again for the facilities that moved only.
    """

    sources: tuple[str, ...] = ()
    conserves: tuple[Conserved, ...] = ()
    of_facility: tuple[str, ...] = ()

    @property
    def is_content(self) -> bool:
        """Whether it depends on the content of the API alone, and not on how the sweep went."""
        return not {LISTS, QUARANTINE} & set(self.sources)


# In all of these `source` says which table (and column) the values come from.


def organization_id(source: str) -> Column:
    """The organisation of a row."""
    return Column("organization_id", "VARCHAR", "Organisation", source, example="11111111-1111-4111-8111-111111111111")


def member_organization_id(source: str) -> Column:
    """A member of the tree of a row's organisation."""
    meaning = "The organisation itself, or one below it at any depth"
    return Column("member_organization_id", "VARCHAR", meaning, source, example="22222222-2222-4222-8222-222222222222")


def facility_id(source: str) -> Column:
    """The facility of a row."""
    return Column("facility_id", "VARCHAR", "Facility", source, example="33333333-3333-4333-8333-333333333333")


def country_code(source: str) -> Column:
    """The country of a row."""
    meaning = "Country of the facility, ISO 3166-1 alpha-2; null if it is not known"
    return Column("country_code", "VARCHAR", meaning, source, example="ES")


def month() -> Column:
    """The calendar month of a row, as its first day."""
    return Column("month", "DATE", "First day of the calendar month", "derived", example="2025-03-01")


def year() -> Column:
    """The calendar year of a row."""
    return Column("year", "INTEGER", "Calendar year", "derived", example="2025", additivity="none")


def tree_organization_id(source: str) -> Column:
    """The organisation whose tree a row is about. The name differs from `organization_id`, so that no tool joins trees to own figures."""
    meaning = "Organisation whose tree it is: itself and all organisations below it"
    return Column("tree_organization_id", "VARCHAR", meaning, source, example="11111111-1111-4111-8111-111111111111")


def count(name: str, meaning: str, source: str, example: str = "12", never_over: str = "") -> Column:
    """A number of things. If a thing counts in several rows, `never_over` says over what nobody may add the rows up."""
    additivity: Additivity = "none" if never_over else "sum"
    return Column(name, "BIGINT", meaning, source, "1", example=example, additivity=additivity, never_over=never_over)


def days(name: str, meaning: str, source: str = "derived", example: str = "365") -> Column:
    """A number of days."""
    return Column(name, "BIGINT", meaning, source, "d", example=example, additivity="sum")


def total(name: str, meaning: str, source: str, unit: str, example: str = "4521.300000000") -> Column:
    """A sum of quantities in `unit`."""
    return Column(name, TOTAL, meaning, source, unit, example=example, additivity="sum")


def difference(name: str, meaning: str, example: str) -> Column:
    """One total less another. It is null where one of them is, so its sum is not the difference of their sums."""
    never_over = "rows: it is null where one of the two is"
    return Column(
        name, TOTAL, meaning, "derived", KILOGRAMS_CO2E, None, example=example, additivity="none", never_over=never_over
    )


def share(name: str, meaning: str, unit: str = "1", example: str = "0.050000000") -> Column:
    """A figure divided by another. A ratio of sums is not the sum of ratios."""
    return Column(name, RATIO, meaning, "derived", unit, example=example, additivity="none")


def of_tree(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """Figures of a tree. Those of an organisation hold the trees of all organisations below it."""
    return tuple(_of_tree(column) for column in columns)


def _of_tree(column: Column) -> Column:
    if column.additivity == "sum":
        return replace(column, additivity="none", never_over=_NO_TREES)
    return replace(column, never_over=f"{column.never_over} or {_NO_TREES}") if column.never_over else column


def measures(source: str, of: str = "") -> tuple[Column, ...]:
    """The five quantities that every emission summary sums, in kg and m3. `of` says whose they are, with a space before it."""
    return (
        total(
            "co2e_kg",
            f"Emissions of calculated records{of}; null if all are pending",
            f"{source}: co2e_kg",
            KILOGRAMS_CO2E,
        ),
        total(
            "co2e_biomass_kg",
            f"Biogenic emissions{of}; never add them to co2e_kg",
            f"{source}: co2e_biomass_kg",
            KILOGRAMS_CO2E,
            "12.500000000",
        ),
        total(
            "water_in_m3",
            f"Water entering the plants{of}",
            f"{source}: water_in_m3",
            CUBIC_METRES,
            "12500.250000000",
        ),
        total(
            "water_out_m3",
            f"Water leaving the plants{of}",
            f"{source}: water_out_m3",
            CUBIC_METRES,
            "12000.125000000",
        ),
        total("sludge_kg", f"Sludge from the plants{of}", f"{source}: sludge_kg", KILOGRAMS, "850.062500000"),
    )


def records(source: str, period: str, of: str = "") -> tuple[Column, ...]:
    """How many records the figures rest on. A record that spans several periods (`month`, `year`) counts in each."""
    never_over = f"{period}s"
    covering = (
        f"Active records{of} that cover a day of the {period}, so one that covers several {period}s counts in each"
    )
    return (
        count("record_count", covering, source, never_over=never_over),
        count("pending_record_count", "Those of them without calculated emissions", source, "0", never_over),
    )


def coverage(source: str, period: str, of: str = "") -> tuple[Column, ...]:
    """How many facilities the figures rest on, and how many of the days that these owe."""
    return (
        count(
            "facility_count", f"Facilities{of} of which records are expected in the {period}", source, "6", f"{period}s"
        ),
        days("covered_days", f"Days with at least one active record, summed over the facilities{of}", source, "2160"),
        days(
            "due_days",
            f"Days of which the facilities{of} should have a record; the {period} is fully covered if covered_days is the same",
            source,
            "2190",
        ),
    )


def year_on_year(name: str, whole: str = "") -> tuple[Column, ...]:
    """The change of the figure `name` to the year before, and the reason if there is none. `whole` is a condition beside those of all."""
    conditions = ["both years are fully covered", "nothing in them is pending", *([whole] if whole else [])]
    return (
        share(
            f"{name}_year_on_year",
            f"Change of {name} to the year before, as a share of that year: 0.05 is 5 % more. "
            f"Null unless {', '.join(conditions)} and the figure of that year is above zero",
            example="-0.034500000",
        ),
        Column(
            "year_on_year_reason",
            "VARCHAR",
            f"Why there is no {name}_year_on_year; null if there is one",
            "derived",
            example="2024: 214 of 365 days covered",
        ),
    )
