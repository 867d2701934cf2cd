"""Which tools get a folder of files, and how it is written. What the files say belongs to the module of the tool."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from dcycle_pipeline.export import dbt, superset
from dcycle_pipeline.export.folder import mark_of, write_folder
from dcycle_pipeline.publish.catalog import all_tables
from dcycle_pipeline.readers import published_file
from dcycle_pipeline.readers.published_file import Published


@dataclass(frozen=True)
class Tool:
    """A tool: its files by path, made from the path of the published file; what it leaves in the folder; what a person does next."""

    title: str
    files: Callable[[Path], dict[str, bytes]]
    next_step: str
    left: Collection[str] = ()


TOOLS = {
    "dbt": Tool("dbt project", dbt.dbt_files, "Go there and run `dbt build`.", dbt.LEFT_BY_DBT),
    "superset": Tool("Superset", superset.superset_files, f"Import {superset.ARCHIVE} at Datasets → Import."),
}


@dataclass(frozen=True)
class Written:
    """What was written, by path in the folder, and which run had published the file that it is about."""

    title: str
    next_step: str
    run_id: str
    files: list[str]


def write_for_tool(name: str, published: Path, folder: Path) -> Written:
    """Write the files of a tool of `TOOLS` to the folder.

    Raises UnavailableError if nothing is published, or only by an older version with other columns; SettingsError if the folder
    holds what is not ours or cannot be written, or if the tool cannot take the path of the published file. Then nothing is written.
    """
    tool = TOOLS[name]
    with Published(published) as reader:
        for table in all_tables():
            reader.rows(f"SELECT {', '.join(table.names())} FROM {table.qualified} LIMIT 0")
        run_id = reader.rows(published_file.LAST_RUN)[0]["run_id"]
    files = tool.files(published)
    write_folder(folder, files, mark_of(name), tool.left)
    return Written(tool.title, tool.next_step, run_id, sorted(files))
