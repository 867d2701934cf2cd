"""What changed between two versions of a row, in SQL: `old` and `new` are relations with the columns of the versions.

Writing versions belongs to `merge`.
"""

from dcycle_pipeline.endpoints.declaration import Endpoint
from dcycle_pipeline.schema import Column, Role


def compared_columns(endpoint: Endpoint) -> tuple[Column, ...]:
    """The columns of a row's content, lists as one column each."""
    return (*endpoint.table.content, *(multi_value.column for multi_value in endpoint.multi_values))


def of_role(endpoint: Endpoint, role: Role) -> list[str]:
    """The names of the columns outside of the key that have a role."""
    return [
        column.name
        for column in compared_columns(endpoint)
        if column.role == role and column.name not in endpoint.table.key
    ]


def differs(endpoint: Endpoint, role: Role) -> str:
    """An SQL condition: a column of that role differs."""
    parts = [f"old.{name} IS DISTINCT FROM new.{name}" for name in of_role(endpoint, role)]
    return f"({' OR '.join(parts)})" if parts else "false"


def is_change(endpoint: Endpoint) -> str:
    """An SQL condition: the row that came is another one than before."""
    changed = " OR ".join(differs(endpoint, role) for role in ("activity", "emission", "note"))
    return f"(old.{endpoint.id_column} IS NULL OR old.change = 'unlisted' OR {changed})"


def kind_of_change(endpoint: Endpoint, was_there: str) -> str:
    """SQL for the kind of change of a row that came. `was_there` is a condition: a version of it ended with a deletion."""
    pending, is_new = endpoint.pending_column, f"old.{endpoint.id_column} IS NULL"
    return f"""CASE WHEN {is_new} AND NOT ({was_there}) THEN 'new'
        WHEN {is_new} OR old.change = 'unlisted' THEN 'restored'
        WHEN {differs(endpoint, "activity")} THEN 'edited' WHEN old.{pending} IS NULL AND new.{pending} IS NOT NULL THEN 'settled'
        WHEN {differs(endpoint, "emission")} THEN 'recalculated' ELSE 'edited' END"""
