"""A command loads only what it needs: none but a sync with a DAGSTER_HOME loads Dagster."""

import subprocess
import sys

import pytest

ASKED = """
import sys
sys.argv = ["dcycle-pipeline", *{words!r}]
from dcycle_pipeline.__main__ import main
try:
    main()
except SystemExit:
    pass
print([name for name in {packages!r} if name in sys.modules])
"""
HEAVY = ["aiohttp", "httpx_aiohttp", "dagster", "starlette", "uvicorn", "vl_convert", "xlsxwriter"]


@pytest.mark.quick(2)
@pytest.mark.parametrize(
    "words", [["--help"], ["status"], ["doctor"], ["explain", "f", "2025-03"], ["rollback", "--list"]], ids=" ".join
)
def test_what_looks_loads_neither_dagster_nor_a_server_nor_a_drawing_engine(
    words: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    program = ASKED.format(words=words, packages=HEAVY)
    cwd = tmp_path_factory.mktemp("cwd")
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=cwd, capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stdout.splitlines()[-1] == "[]"
