"""Behaviour as text, as a random mixture, and in words."""

import httpx
import pytest

from dcycle_pipeline.sandbox import Behaviour, Fault, Mutation, demo_world, parse_behaviour
from tests.properties.mixtures import described, has_lasting_obstacles, is_lasting, random_mixture

RECORDS = "/v1/waste-water-treatments"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], Behaviour()),
        (["max_size=50", "clamp_echo=false"], Behaviour(max_size=50, clamp_echo=False)),
        (["max_size=none"], Behaviour()),
        (["past_end=repeat", "ties=shuffled"], Behaviour(past_end="repeat", ties="shuffled")),
        (["ignore_sort=yes", "counter_offset=-3"], Behaviour(ignore_sort=True, counter_offset=-3)),
        (["latency_seconds=0.25", "token_requests=2"], Behaviour(latency_seconds=0.25, token_requests=2)),
        (["fault=429"], Behaviour(faults=(Fault("429"),))),
        (
            ["fault=429,probability=0.1,times=2,retry_after=date", "faults=reset,page=2,path=/v1"],
            Behaviour(
                faults=(
                    Fault("429", probability=0.1, times=2, retry_after="date"),
                    Fault("reset", page=2, path="/v1"),
                )
            ),
        ),
        (["fault=truncated,chunked=true,times=none"], Behaviour(faults=(Fault("truncated", chunked=True),))),
        (["denied=a:403", "denied=b:401"], Behaviour(denied={"a": 403, "b": 401})),
        (["endless=f-1:rows", "endless=o-1:growing"], Behaviour(endless={"f-1": "rows", "o-1": "growing"})),
        (["malformed=r-1:missing_id"], Behaviour(malformed={"r-1": "missing_id"})),
        (["malformed_kinds=nan_text,null_item"], Behaviour(malformed_kinds=("nan_text", "null_item"))),
        (["churn=7,5,mixed"], Behaviour(churn=(7, 5, "mixed"))),
        (
            ["mutation=3,delete,facility_id=f,count=2", "mutation=1,insert_facility"],
            Behaviour(mutations=(Mutation(3, "delete", facility_id="f", count=2), Mutation(1, "insert_facility"))),
        ),
    ],
)
def test_parse(words, expected):
    assert parse_behaviour(words) == expected


@pytest.mark.parametrize(
    "word",
    [
        "max_size=many", "past_end=explode", "ties=", "ignore_sort=perhaps", "fault=418", "fault=429,color=red",
        "fault=429,times=x", "denied=a:500", "denied=a", "malformed=a:melted", "endless=a:b", "churn=1,2", "churn=1,0,edit",
        "mutation=1,explode", "mutation=1", "malformed_kinds=x", "max_size=0", "latency_seconds=-1", "latency_seconds=nan",
        "malformed_share=2", "denied_share=-0.1", "token_requests=-1", "churn_limit=-1",
    ],
)  # fmt: skip
def test_wrong_values_are_refused(word):
    with pytest.raises(ValueError, match=r"cannot be read|one of|at least 1|between 0 and"):
        parse_behaviour([word])


@pytest.mark.parametrize("word", ["max_sise=5", "ignore_sort", "=5", ""])
def test_unknown_switches_are_refused_with_the_known_ones(word):
    with pytest.raises(ValueError, match="known switch") as refusal:
        parse_behaviour([word])
    assert all(name in str(refusal.value) for name in Behaviour.switches())


def test_every_switch_is_documented_and_can_be_written():
    samples = {"max_size": "5", "token_requests": "5", "churn": "1,2,edit", "faults": "500", "mutations": "1,insert",
               "denied": "a:403", "malformed": "a:null_item", "malformed_kinds": "null_item", "past_end": "404",
               "ties": "shuffled", "hidden_by_default": "error", "endless": "a:rows"}  # fmt: skip
    usual = Behaviour()
    for name, doc in Behaviour.switches().items():
        assert doc
        assert "\n" not in doc
        value = samples.get(name) or ("false" if getattr(usual, name) is True else "1")
        assert getattr(parse_behaviour([f"{name}={value}"]), name) != getattr(usual, name), name


def test_a_description_names_what_differs_and_which_faults_last():
    behaviour = Behaviour(
        max_size=5, faults=(Fault("429", times=2), Fault("500", probability=0.2), Fault("503"), Fault("slow"))
    )
    assert described(Behaviour()) == "as documented"
    lines = described(behaviour).splitlines()
    assert lines[0] == "max_size = 5"
    assert [line.split()[0] for line in lines[1:]] == ["passing", "passing", "lasting", "passing"]
    assert has_lasting_obstacles(behaviour)
    assert not has_lasting_obstacles(Behaviour(faults=(Fault("429", times=2),)))
    assert has_lasting_obstacles(Behaviour(denied={"a": 403}))


def test_random_mixtures_are_decided_by_their_seed_and_cover_the_switches():
    mixtures = [random_mixture(seed) for seed in range(300)]
    assert mixtures == [random_mixture(seed) for seed in range(300)]
    usual = Behaviour()
    left_alone = {
        name
        for name in Behaviour.switches()
        if all(getattr(mixture, name) == getattr(usual, name) for mixture in mixtures)
    }
    assert left_alone == {
        "mutations", "denied", "malformed", "token_seconds", "token_requests", "latency_seconds", "hubs_hidden", "endless",
        "clock_ahead_seconds", "set_cookie", "echo",
    }  # fmt: skip
    assert 20 < sum(map(has_lasting_obstacles, mixtures)) < 120


def test_passing_faults_of_a_mixture_fail_an_address_twice_at_most():
    for seed in range(300):
        faults = random_mixture(seed).faults
        assert sum(fault.times or 0 for fault in faults if not is_lasting(fault)) <= 2
        assert all(fault.times is not None for fault in faults if not is_lasting(fault))


@pytest.fixture(scope="module")
def world():
    return demo_world()


@pytest.mark.quick(4)
@pytest.mark.parametrize("seed", range(14))
def test_the_sandbox_survives_every_mixture(world, opened, seed):
    """A crash of the sandbox itself would be raised when it closes."""
    behaviour = random_mixture(seed)
    server = opened(demo_world() if behaviour.churn else world, behaviour)
    answered = 0
    for facility_id in world.facility_ids(world.root_id) + world.facility_ids()[14:18]:
        for page in (1, 2, 1):
            for path in (RECORDS, "/v1/facilities", "/api/v1/facilities"):
                try:
                    answer = server.get(
                        path, facility_id=facility_id, page=page, size=100, sort="-start_date", status__="active"
                    )
                except httpx.TransportError:
                    continue
                answered += answer.status_code == 200
                if answer.status_code == 500:
                    assert any(fault.kind == "500" for fault in behaviour.faults)
    assert answered > 0
