"""Makes the macros of an SQL script self-contained: each holds what it calls, so that it means the same wherever it is called from.

DuckDB looks for a macro's own calls in the caller's database (`USE`), not in the database that holds the macro.
"""

import json
import re
from typing import Any

import duckdb

_MACRO = re.compile(r"CREATE OR REPLACE MACRO (\w+)\(([^)]*)\) AS\s+(.*)", re.DOTALL)
Node = Any  # of DuckDB's own syntax tree, as JSON


def self_contained(script: str) -> list[str]:
    """The statements of a script of scalar macros, with every call of an earlier one replaced by what it stands for."""
    known: dict[str, tuple[list[str], Node]] = {}
    statements = []
    with duckdb.connect() as connection:
        for statement in duckdb.extract_statements(script):
            found = _MACRO.search(statement.query)
            if found is None:
                raise ValueError(f"not a scalar macro: {statement.query}")
            name, parameters, body = found[1], [each.strip() for each in found[2].split(",")], found[3].rstrip("; \n")
            tree = json.loads(_asked(connection, "json_serialize_sql", f"SELECT {body}"))
            (expression,) = tree["statements"][0]["node"]["select_list"]
            whole = _expanded(expression, known)
            known[name] = (parameters, whole)
            tree["statements"][0]["node"]["select_list"] = [whole]
            text = _asked(connection, "json_deserialize_sql", json.dumps(tree)).removeprefix("SELECT ")
            statements.append(f"CREATE OR REPLACE MACRO {name}({', '.join(parameters)}) AS {text}")
    return statements


def _asked(connection: duckdb.DuckDBPyConnection, function: str, text: str) -> str:
    answer: str = connection.execute(f"SELECT {function}(?)", [text]).fetchall()[0][0]
    return answer


def _expanded(node: Node, known: dict[str, tuple[list[str], Node]]) -> Node:
    """The tree with the calls of known macros replaced, the innermost first."""
    if isinstance(node, list):
        return [_expanded(each, known) for each in node]
    if not isinstance(node, dict):
        return node
    node = {key: _expanded(value, known) for key, value in node.items()}
    if node.get("class") == "FUNCTION" and node["function_name"] in known:
        parameters, body = known[node["function_name"]]
        return _filled(body, dict(zip(parameters, _arguments(node), strict=True)))
    return node


def _arguments(call: Node) -> list[Node]:
    """What a macro is called with. DuckDB 2.0 gives each argument its name too."""
    return call["children"] if "children" in call else [each["expression"] for each in call["arguments"]]


def _filled(node: Node, values: dict[str, Node]) -> Node:
    """The body of a macro with its parameters replaced by what it is called with."""
    if isinstance(node, list):
        return [_filled(each, values) for each in node]
    if not isinstance(node, dict):
        return node
    if node.get("class") == "COLUMN_REF" and len(node["column_names"]) == 1:
        return values.get(node["column_names"][0], node)
    return {key: _filled(value, values) for key, value in node.items()}
