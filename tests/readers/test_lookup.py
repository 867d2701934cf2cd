"""Who is meant: the whole id before the name, the name before what only begins so; never a guess among several."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.readers.lookup import Known, fitting, meant

THERE = [
    Known("6637eaba-4525", "STEP de Fréjus-Plage", "Eaux d'Or"),
    Known("6637ffff-0001", "STEP d'Orange", "Eaux d'Or"),
    Known("0e182b74-e1db", "Büro", "Nord"),
    Known("buro", None, "Nord"),
    Known("9c9797dc-9776", "EDAR Almendral", "Ibérica"),
    Known("9c9797dc-0000", "EDAR Almendral Viejo", "Ibérica"),
]
KNOWN = st.builds(Known, st.text("ab-1", min_size=1, max_size=4), st.none() | st.text("aáB ", max_size=4), st.just(""))


@pytest.mark.parametrize(
    ("text", "identifier"),
    [
        ("0e182b74-e1db", "0e182b74-e1db"),
        ("0e18", "0e182b74-e1db"),
        ("0e182b74…", "0e182b74-e1db"),
        ("buro", "buro"),  # an id before a name
        ("BÜRO", "0e182b74-e1db"),
        ("step de frejus-plage", "6637eaba-4525"),
        ("frejus", "6637eaba-4525"),
        ("EDAR Almendral", "9c9797dc-9776"),  # a whole name before one that begins so
        ("EDAR Almendral…", "9c9797dc-9776"),
        ("Fréjus…", "6637eaba-4525"),
        (" almendral v ", "9c9797dc-0000"),
    ],
)
def test_a_name_an_id_or_a_start_names_one(text: str, identifier: str) -> None:
    assert meant("facility", text, THERE, "").identifier == identifier


@pytest.mark.parametrize("text", ["6637", "STEP", "9c9797dc…", "edar"])
def test_what_may_be_several_is_refused_with_their_names_before_their_ids(text: str) -> None:
    with pytest.raises(SettingsError, match=r"may be (STEP|EDAR) .* \(.*\); (STEP|EDAR)"):
        meant("facility", text, THERE, "")


@pytest.mark.parametrize(
    ("text", "words"), [("Zebra", "all of them"), ("EDAR Almendrel", "did you mean EDAR Almendral")]
)
def test_what_is_unknown_is_refused_with_what_is_near(text: str, words: str) -> None:
    with pytest.raises(SettingsError, match=f"No facility is called '{text}'.*{words}"):
        meant("facility", text, THERE, "all of them")


@pytest.mark.parametrize("text", ["", " ", "…"])
def test_nothing_names_nobody(text: str) -> None:
    assert fitting(text, THERE) == []


@given(st.lists(KNOWN, unique_by=lambda known: known.identifier), st.data())
def test_a_whole_id_always_names_its_owner(there: list[Known], data: st.DataObject) -> None:
    for known in there:
        if known.identifier.strip():
            assert fitting(known.identifier, there) == [known]
