"""Every facility and waste-water record of a Dcycle account in a DuckDB file. For notebooks: `open_published`.

Its import costs nothing: pandas and DuckDB are loaded when the name is first used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dcycle_pipeline.readers.published_file import open_published

__all__ = ["open_published"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from dcycle_pipeline.readers import published_file  # noqa: PLC0415

        return getattr(published_file, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
