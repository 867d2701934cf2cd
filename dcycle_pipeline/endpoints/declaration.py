"""What the declaration of an endpoint consists of. Each endpoint has a file of its own beside this one."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_args, get_type_hints

import msgspec

from dcycle_pipeline.api.types import Paging, Query
from dcycle_pipeline.schema import Column, Table


@dataclass(frozen=True)
class MultiValue:
    """A list inside the items, e.g. the categories of a facility.

    `column` holds it in the versions of a row; its `value` is SQL over the item. `table` has one row per element, in its last column.
    """

    table: Table
    column: Column


@dataclass(frozen=True, kw_only=True)
class Declared:
    """What every endpoint declares: its name, what an item looks like, and the `table` that it fills, with one row per item.

    `withheld` are fields that hold personal data: they are dropped before landing. `person_ids` are fields that hold only the
    id of a person. `id_lists` are fields that list other things by id: only their ids land.
    `unused` are known fields that land, but fill no column. `unneeded` are fields that no figure is made from: one
    that cannot be read becomes null, and its row stays.
    """

    name: str
    title: str
    item: type[msgspec.Struct]
    table: Table
    withheld: frozenset[str] = frozenset()
    unused: frozenset[str] = frozenset()
    unneeded: frozenset[str] = frozenset()
    person_ids: frozenset[str] = frozenset()
    id_lists: frozenset[str] = frozenset()

    @cached_property
    def known_fields(self) -> frozenset[str]:
        """The names of the item's fields that the pipeline knows, as the API spells them."""
        return frozenset(f.encode_name for f in msgspec.structs.fields(self.item)) | self.withheld | self.unused

    @cached_property
    def nested_fields(self) -> dict[str, frozenset[str]]:
        """The known fields that hold an object, each with the names that are known inside it."""
        return _objects_in(get_type_hints(self.item))

    @cached_property
    def element_fields(self) -> dict[str, frozenset[str]]:
        """The known fields that hold a list of objects, each with the names that are known inside an element."""
        hints = get_type_hints(self.item).items()
        return _objects_in({name: part for name, hint in hints for part in get_args(hint) if get_args(part)})


@dataclass(frozen=True, kw_only=True)
class Endpoint(Declared):
    """An endpoint of lists: each list is read page by page until it is proven.

    `multi_values` are the lists inside its items. `parent` names the endpoint whose every row has one list here; the row's id is
    sent as `parent_parameter`. `problem` takes an item and the facility asked for; it returns why the item cannot be used
    although its types are right, or None. `pending_column` is the quantity that is null until Dcycle has calculated it.
    """

    paging: Paging
    multi_values: tuple[MultiValue, ...]
    problem: Callable[[Any, str | None], str | None]
    pending_column: str
    parent: str | None = None
    parent_parameter: str | None = None

    @property
    def id_column(self) -> str:
        """The column that holds the item's id: the last of the key."""
        return self.table.key[-1]

    @property
    def tables(self) -> tuple[Table, ...]:
        """Every table of `dcycle` that the endpoint fills."""
        return (self.table, *(multi_value.table for multi_value in self.multi_values))


@dataclass(frozen=True, kw_only=True)
class YearTotal(Declared):
    """An endpoint that gives one object per organisation and calendar year. It has no pages and no proof.

    It only informs: a total that cannot be read is no gap. `query` returns the query parameters for a year (as text).
    """

    path: str
    query: Callable[[str], Query]


def _objects_in(hints: dict[str, Any]) -> dict[str, frozenset[str]]:
    found = {}
    for name, hint in hints.items():
        for part in get_args(hint):
            if isinstance(part, type) and issubclass(part, msgspec.Struct):
                found[name] = frozenset(f.encode_name for f in msgspec.structs.fields(part))
    return found
