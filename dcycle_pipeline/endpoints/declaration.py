"""What a declaration of an endpoint consists of. Concrete endpoints have one file each beside this one."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_args, get_type_hints

import msgspec

from dcycle_pipeline.api.types import Paging, Query
from dcycle_pipeline.schema import Column, Table


@dataclass(frozen=True)
class MultiValue:
    """A list inside the items. `column` holds it in the versions of a row (its `value` is SQL over the item); `table` has
    one row an element, in its last column.
    """

    table: Table
    column: Column


@dataclass(frozen=True, kw_only=True)
class Declared:
    """What an endpoint says: under which name, what an item looks like, which table it fills.

    `table` has one row an item. `withheld` are fields that hold personal data, `person_ids` those that hold nothing but an
    id of a person, `unused` those that are known and land, but fill no column.
    """

    name: str
    title: str
    item: type[msgspec.Struct]
    table: Table
    withheld: frozenset[str] = frozenset()
    unused: frozenset[str] = frozenset()
    person_ids: frozenset[str] = frozenset()

    @cached_property
    def known_fields(self) -> frozenset[str]:
        """The item's field names in the API that the pipeline understands."""
        return frozenset(f.encode_name for f in msgspec.structs.fields(self.item)) | self.withheld | self.unused

    @cached_property
    def nested_fields(self) -> dict[str, frozenset[str]]:
        """Those among them that hold an object, with the names that are known inside it."""
        nested = {}
        for name, hint in get_type_hints(self.item).items():
            for part in get_args(hint):
                if isinstance(part, type) and issubclass(part, msgspec.Struct):
                    nested[name] = frozenset(f.encode_name for f in msgspec.structs.fields(part))
        return nested


@dataclass(frozen=True, kw_only=True)
class Endpoint(Declared):
    """An endpoint that is a list: it is walked page by page until it is proven complete.

    `multi_values` have one row an element of a list inside the items. `parent` is the name of the endpoint whose every row is
    one scope to walk, its id sent as `parent_parameter`. `problem` tells why an item that has the right types still cannot
    be used. `pending_column` is the quantity that is null until Dcycle has computed it.
    """

    paging: Paging
    multi_values: tuple[MultiValue, ...]
    problem: Callable[[Any, str | None], str | None]
    pending_column: str
    parent: str | None = None
    parent_parameter: str | None = None

    @property
    def id_column(self) -> str:
        """The column that holds the item's id: last of the key."""
        return self.table.key[-1]

    @property
    def tables(self) -> tuple[Table, ...]:
        """Every table of `dcycle` that the endpoint fills."""
        return (self.table, *(multi_value.table for multi_value in self.multi_values))


@dataclass(frozen=True, kw_only=True)
class YearTotal(Declared):
    """An endpoint that gives one object for an organisation and calendar year: nothing to walk, and nothing to prove.

    It only informs: what of it cannot be read leaves nothing open. `query` is what is asked for a year.
    """

    path: str
    query: Callable[[str], Query]
