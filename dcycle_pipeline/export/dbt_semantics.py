"""The semantic models and metrics of the dbt project, in MetricFlow's format, from the declarations of `bi` and of the figures."""

from collections.abc import Iterable

from dcycle_pipeline.export.folder import Yaml
from dcycle_pipeline.export.metrics import OF_EMISSIONS, OF_YEAR_ON_YEAR, Measure, Metric, measures_of, sums_of
from dcycle_pipeline.export.relations import BI_TABLES, YEAR_ON_YEAR
from dcycle_pipeline.schema import Column, Table
from dcycle_pipeline.summaries.bi import BI_EMISSIONS

_DIMENSIONS = [table for table in BI_TABLES.values() if len(table.key) == 1 and table.key != ("month",)]
_TIME = "month"
_A_PART = (
    f"A part of {OF_YEAR_ON_YEAR[0].name}: do not draw it alone."  # MetricFlow knows no measure that only metrics see
)
_TIME_NAMED = "calendar_month"  # MetricFlow keeps `month` for itself


def semantic_models() -> Yaml:
    """The content of the file: what is measured, what it may be grouped by, and every figure."""
    of_emissions = tuple(dict.fromkeys((*sums_of(BI_EMISSIONS), *measures_of(OF_EMISSIONS))))
    of_year_on_year = measures_of(OF_YEAR_ON_YEAR)
    return {
        "version": 2,
        "semantic_models": [
            _facts(BI_EMISSIONS, "facility_month", of_emissions),
            _facts(YEAR_ON_YEAR, "compared_facility_month", of_year_on_year),
            *(_dimension(table) for table in _DIMENSIONS),
        ],
        "metrics": [
            *(_simple(measure) for measure in of_emissions),
            *(_simple(measure, f" {_A_PART}") for measure in of_year_on_year),
            *(_derived(metric) for metric in (*OF_EMISSIONS, *OF_YEAR_ON_YEAR)),
        ],
    }


def _facts(table: Table, primary_entity: str, measures: Iterable[Measure]) -> Yaml:
    """A table of facts. Its references are entities, by which MetricFlow joins."""
    (month,) = [column for column in table.columns if column.name == _TIME]
    return {
        "name": table.name,
        "model": f"ref('{table.name}')",
        "description": table.comment,
        "defaults": {"agg_time_dimension": _TIME_NAMED},
        "primary_entity": primary_entity,
        "entities": [
            {"name": column.name, "type": "foreign"}
            for column in table.columns
            if column.references and column.name != _TIME
        ],
        "dimensions": [
            {
                "name": _TIME_NAMED,
                "expr": _TIME,
                "type": "time",
                "type_params": {"time_granularity": "month"},
                "description": table.comment_of(month),
            }
        ],
        "measures": [_measure(measure) for measure in measures],
    }


def _measure(measure: Measure) -> Yaml:
    return {
        "name": measure.name,
        "agg": measure.aggregation,
        "expr": measure.value,
        "description": f"{measure.meaning}. Unit: {measure.unit}.",
    }


def _dimension(table: Table) -> Yaml:
    (key,) = table.key
    return {
        "name": table.name,
        "model": f"ref('{table.name}')",
        "description": table.comment,
        "entities": [{"name": key, "type": "primary"}],
        "dimensions": [_grouped_by(table, column) for column in table.columns if column.name != key],
    }


def _grouped_by(table: Table, column: Column) -> Yaml:
    return {"name": column.name, "type": "categorical", "description": table.comment_of(column)}


def _label(name: str) -> str:
    return name.replace("_", " ")


def _simple(measure: Measure, more: str = "") -> Yaml:
    return {
        "name": measure.name,
        "label": _label(measure.name),
        "description": f"{measure.meaning}. Unit: {measure.unit}.{more}",
        "type": "simple",
        "type_params": {"measure": measure.name},
    }


def _derived(metric: Metric) -> Yaml:
    names = {measure.name: measure.name for measure in metric.measures}
    return {
        "name": metric.name,
        "label": _label(metric.name),
        "description": f"{metric.meaning}. Unit: {metric.unit}.",
        "type": "derived",
        "type_params": {"expr": metric.formula.format(**names), "metrics": list(names)},
    }
