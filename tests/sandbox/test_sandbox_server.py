"""The running server: start, stop, many pages, and the blocking form."""

import subprocess
import sys
import threading

import httpx
import pytest

from dcycle_pipeline.sandbox import Behaviour, Sandbox

RECORDS = "/v1/waste-water-treatments"


def headers(sandbox):
    return {"x-api-key": sandbox.api_key, "x-organization-id": sandbox.world.root_id}


def test_it_listens_on_a_free_loopback_port_until_it_is_left(small):
    before = set(threading.enumerate())
    with Sandbox(small.world) as first, Sandbox(small.world) as second:
        assert first.base_url.startswith("http://127.0.0.1:")
        assert first.base_url != second.base_url
        assert httpx.get(f"{first.base_url}/v1/facilities", headers=headers(first)).status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{first.base_url}/v1/facilities")
    assert not any(thread.name == "sandbox" for thread in set(threading.enumerate()) - before)


def test_it_can_be_left_while_a_client_holds_connections(small):
    with httpx.Client() as client:
        with Sandbox(small.world) as sandbox:
            assert client.get(f"{sandbox.base_url}/v1/facilities", headers=headers(sandbox)).status_code == 200
        with pytest.raises((httpx.ConnectError, httpx.ReadError, httpx.RemoteProtocolError)):
            client.get(f"{sandbox.base_url}/v1/facilities", headers=headers(sandbox))


def test_a_defect_of_the_sandbox_itself_is_not_hidden(small):
    behaviour = Behaviour(malformed={small.plant: lambda item: item["no such field"]})
    with (
        pytest.raises(RuntimeError, match="sandbox itself failed") as raised,
        Sandbox(small.world, behaviour) as sandbox,
    ):
        assert httpx.get(f"{sandbox.base_url}/v1/facilities", headers=headers(sandbox)).status_code == 500
    assert isinstance(raised.value.__cause__, KeyError)


def test_items_are_encoded_once_and_rows_sorted_once(small, monkeypatch):
    from dcycle_pipeline.sandbox.api import treatments
    from dcycle_pipeline.sandbox.world import world

    small.world.add_records(small.hub, 1000)
    encoded, arranged = [], []
    encode, rows = world.items.encode, treatments._rows
    monkeypatch.setattr(world.items, "encode", lambda value: encoded.append(1) or encode(value))
    monkeypatch.setattr(treatments, "_rows", lambda *args: arranged.append(1) or rows(*args))
    with (
        Sandbox(small.world) as sandbox,
        httpx.Client(base_url=sandbox.base_url, headers=headers(sandbox), verify=False) as client,
    ):
        for number in range(300):
            params = {"facility_id": small.hub, "size": 100, "page": number % 10 + 1, "sort": "-start_date"}
            assert len(client.get(RECORDS, params=params).json()["items"]) == 100
    assert (len(encoded), len(arranged)) == (1000, 1)


def test_readers_and_a_writer_at_once_see_whole_pages(small):
    world = small.world
    failures = []

    def read(sandbox):
        with httpx.Client(base_url=sandbox.base_url, headers=headers(sandbox), verify=False) as client:
            for _ in range(40):
                page = client.get(RECORDS, params={"facility_id": small.plant, "size": 100}).json()
                if page["total_general"] != len(page["items"]):
                    failures.append(page)

    with Sandbox(world) as sandbox:
        readers = [threading.Thread(target=read, args=(sandbox,)) for _ in range(4)]
        for reader in readers:
            reader.start()
        for _ in range(60):
            world.add_record(small.plant)
            world.delete_record(world.facility_records(small.plant)[0]["id"])
        for reader in readers:
            reader.join()
        assert len(sandbox.requests) == 160
    assert failures == []


def test_serve_blocks_prints_nothing_and_ends_with_the_interrupt():
    program = """
import os, signal, threading, httpx
from dcycle_pipeline.sandbox import API_KEY, World, serve
world = World("root", "Root")
def use(url):
    def ask():
        answer = httpx.get(url + "/v2/organizations/tree", headers={"x-api-key": API_KEY, "x-organization-id": "root"})
        seen.append(answer.json()["name"])
        os.kill(os.getpid(), signal.SIGINT)
    threading.Thread(target=ask).start()
seen = []
serve(world, port=0, on_ready=use)
assert seen == ["Root"], seen
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_it_needs_nothing_of_the_pipeline():
    program = (
        "import sys, dcycle_pipeline.sandbox as s; s.demo_world(); s.parse_behaviour([]); "
        "print(sorted(n for n in sys.modules if n.startswith('dcycle_pipeline.') and '.sandbox' not in n), "
        "sorted(n for n in ('httpx', 'duckdb', 'dagster', 'pandas') if n in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[] []\n"
