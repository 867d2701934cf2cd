"""Foreign text is shown as it is: what hides is visible, what acts does nothing, and what turns stays in its place."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from dcycle_pipeline.text import isolated, markdown, plain

any_text = st.text(st.characters(categories=("L", "M", "N", "P", "S", "Z", "C")), max_size=40)
LINKS = [
    "[x](javascript:alert(1))",
    "![i](u)",
    "<https://a.example>",
    "https://a.example",
    "WWW.a.example",
    "a@b.example",
]
acting = st.sampled_from(
    [*LINKS, "<b>", "`c`", "_d_", "*e*", "~~f~~", "|", "\\", "&amp;", "\n", "# ", "\u202e", "\x1b[31m"]
)
names = st.lists(any_text | acting, max_size=5).map("".join)


@given(names)
def test_nothing_hidden_stays_hidden(name: str) -> None:
    for character in plain(name):
        assert unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp")
        assert unicodedata.category(character) != "Cf" or character in "\u200c\u200d"
        assert ord(character) & 0xFFFE != 0xFFFE
    assert plain(plain(name)) == plain(name)
    plain(name).encode()


@given(names)
def test_a_name_in_a_markdown_table_is_one_cell_of_text(name: str) -> None:
    table = f"| head | next |\n|---|---|\n| x{markdown(name)}x | y |"
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(table)
    cells = [token for token in tokens if token.type == "inline"]
    assert [cell.content for cell in cells][0::3] == ["head", "y"]
    parts = cells[2].children or []
    assert {part.type for part in parts} <= {"text", "text_special"}
    assert "".join(part.content for part in parts) == f"x{plain(name)}x"
    assert not re.search(r"[a-z]://|www\.|[a-z]@[a-z]", markdown(name), re.IGNORECASE)


@pytest.mark.parametrize("text", ["dcycle.waste_water_treatments: 1 keys", "f-large: forbidden (403), see 2025-03."])
def test_ordinary_words_stay_as_they_are_in_markdown(text: str) -> None:
    assert markdown(text) == text


@pytest.mark.parametrize("name", ["محطة", "תחנה", "EDAR ١٢"])
def test_what_runs_from_right_to_left_is_kept_apart(name: str) -> None:
    assert isolated(name) == f"\u2068{name}\u2069"


def test_what_runs_from_left_to_right_needs_no_mark() -> None:
    assert isolated("EDAR Álamo 12 水") == "EDAR Álamo 12 水"
