"""Two answers are the same without some texts only if they differ in those texts alone."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dcycle_pipeline.landing.empty_texts import with_empty_texts

NAMES = ("link", "user")
texts = st.text('ab"\\/:é{},', max_size=6) | st.sampled_from(['"link":"', 'x","link":"y', '\\"link\\": "'])
plain = st.none() | st.integers(0, 3) | texts
items = st.dictionaries(
    st.sampled_from(["link", "user", "id", "note", '"link"']), plain | st.lists(plain, max_size=2), max_size=5
)


def emptied(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: "" if name in NAMES and isinstance(each, str) else emptied(each) for name, each in value.items()}
    return [emptied(each) for each in value] if isinstance(value, list) else value


@given(
    st.lists(items, max_size=4), st.lists(items, max_size=4), st.sampled_from([(",", ":"), (", ", ": ")]), st.booleans()
)
def test_what_is_left_tells_all_other_values(one: Any, other: Any, separators: tuple[str, str], escapes: bool) -> None:
    bodies = [json.dumps(each, separators=separators, ensure_ascii=escapes).encode() for each in (one, other)]
    left = [with_empty_texts(body, NAMES) for body in bodies]
    assert [emptied(json.loads(each)) for each in left] == [emptied(one), emptied(other)]
    if left[0] == left[1]:
        assert emptied(one) == emptied(other)


def test_ordinary_links_do_not_count() -> None:
    one, other = (
        b'[{"id":"a","link":"https://x/%b","user":null},{"link":"%b","user":"u"}]' % (each, each)
        for each in (b"1", b"22")
    )
    assert with_empty_texts(one, NAMES) == with_empty_texts(other, NAMES)
    assert with_empty_texts(b'{"link":"cut', NAMES) == b'{"link":"cut'
