"""Names in charts: short enough for their place, from their beginning, and never cut within a letter."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from dcycle_pipeline.report.labels import shortened

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


@given(st.lists(st.text() | st.sampled_from([FAMILY, "e\u0301", "\u200d", "水"]), max_size=30).map("".join))
def test_a_long_name_is_its_beginning_with_an_ellipsis(name: str) -> None:
    shown, whole = shortened(name, 20), unicodedata.normalize("NFC", name)
    assert shown == name or (shown.endswith("…") and whole.startswith(shown[:-1]))
    assert len(shown) <= 121


def test_usual_names_stay_whole() -> None:
    for name in ("EDAR La Cartuja Dorada", "Oczyszczalnia Łódź-Wschód", "ETAR de Guimarães Nascente"):
        assert shortened(name, 20) == name


def test_what_is_joined_is_never_cut() -> None:
    shown = shortened(FAMILY * 9, 20)
    assert shown == FAMILY * 2 + "…"
