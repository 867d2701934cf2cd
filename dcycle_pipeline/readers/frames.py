"""Which types the columns of a frame have: those of ordinary pandas, or the exact ones of the file. Queries are elsewhere."""

from math import nan

import pandas as pd
import pyarrow as pa

# By default, a missing value turns whole numbers into floats and truths into objects; so do texts of which all are missing.
_WITH_MISSING = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype(), pa.string(): pd.StringDtype(na_value=nan)}


def exact_frame(table: pa.Table) -> pd.DataFrame:
    """A frame with Arrow-backed columns: decimals stay decimals, dates stay dates. Pandas calculates little with them."""
    return table.to_pandas(types_mapper=pd.ArrowDtype)


def ordinary_frame(table: pa.Table) -> pd.DataFrame:
    """A frame with the types of ordinary pandas.

    Decimals are float64, each the nearest to its decimal; dates are datetime64[us], times the same in UTC, texts str. Whole
    numbers are int64 and truths bool; if one of the column is missing, they are Int64 and boolean.
    """
    # By position: a query may give two columns of the same name.
    frame = pd.DataFrame({at: _series(column) for at, column in enumerate(table.columns)})
    frame.columns = pd.Index(table.column_names)
    return frame


def _series(column: pa.ChunkedArray) -> pd.Series:
    cast = _cast(column)
    return cast.to_pandas(types_mapper=_WITH_MISSING.get if cast.null_count else None)


def _cast(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_decimal(column.type):
        return _number(column)
    if pa.types.is_signed_integer(column.type):
        return column.cast(pa.int64())
    if pa.types.is_date(column.type):
        return column.cast(pa.timestamp("us"))
    return column


def _number(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A sum of counts comes as a decimal without places, and becomes whole numbers again if they are small enough."""
    if column.type.scale == 0:
        try:
            return column.cast(pa.int64())
        except pa.ArrowInvalid:
            pass
    # Through text, because Arrow's own cast is off by a last bit in one of seven numbers: 0.1 must not become 0.10000000000000002.
    return column.cast(pa.string()).cast(pa.float64())
