"""The values for Dagster's chart and the claim of the chapter, against Kubernetes' schema and against what runs elsewhere.

The schema knows names and types, not which words a field takes: those are written down here.
"""

import re
from pathlib import Path
from typing import Any

import dagster as dg
import kubernetes_validate
import pytest
import yaml

from dcycle_pipeline import definitions
from tests.deployment.helm_chart import code_server, instance
from tests.docs.markdown import CHAPTERS

KUBERNETES = ("1.29", "1.37")


def helm_values(written: Path) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((written / "helm-values.yaml").read_text())
    return values


def lint(manifest: dict[str, Any]) -> None:
    for version in KUBERNETES:
        kubernetes_validate.validate(manifest, version, strict=True)


def claim_in_the_chapter() -> str:
    code = "\n".join(block.text for block in CHAPTERS["deployment"].code("sh"))
    (claim,) = re.findall(r"<<'CLAIM'\n(.*?)^CLAIM$", code, re.MULTILINE | re.DOTALL)
    return str(claim)


def test_values_name_what_the_image_and_the_chart_are(written: Path) -> None:
    values = helm_values(written)
    (code,) = values["dagster-user-deployments"]["deployments"]
    assert code["codeServerArgs"] == ["--module-name", definitions.__name__, "--attribute", "defs"]
    assert f"USER {code['podSecurityContext']['runAsUser']}:" in (written / "Dockerfile").read_text()
    assert f"--version {dg.__version__} " in (written / "helm-values.yaml").read_text()


def test_kubernetes_takes_the_pod_of_the_code_server(written: Path) -> None:
    made, unread = code_server(helm_values(written))
    assert unread == {}
    lint(made)
    pod = made["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert made["spec"]["strategy"] == {"type": "Recreate"}
    assert container["imagePullPolicy"] == "IfNotPresent"
    assert pod["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch"
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    (volume,) = pod["volumes"]
    assert container["volumeMounts"] == [{"name": volume["name"], "mountPath": "/data"}]
    assert volume["persistentVolumeClaim"]["claimName"] == yaml.safe_load(claim_in_the_chapter())["metadata"]["name"]


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("runAsNonRoot: true", "runAsNonRoot: nobody"),
        ("fsGroup: 10001", "fsgroup: 10001"),
        ("drop: [ALL]", "drop: ALL"),
        ("persistentVolumeClaim:", "volumeClaim:"),
        ("claimName: dcycle-data", "claim: dcycle-data"),
        ("mountPath: /data", "path: /data"),
        ("- name: dcycle-settings", "- secret: dcycle-settings"),
        ("secretKeyRef:", "secretRef:"),
        ('value: "5432"', "value: 5432"),
        ("periodSeconds: 20", "period: 20"),
        ("type: Recreate", "kind: Recreate"),
        ("pullPolicy: IfNotPresent", "pullPolicy: [IfNotPresent]"),
    ],
)
def test_a_mistake_in_a_part_of_the_pod_is_found(written: Path, right: str, wrong: str) -> None:
    text = (written / "helm-values.yaml").read_text()
    assert text.count(right) == 1
    made, _ = code_server(yaml.safe_load(text.replace(right, wrong)))
    with pytest.raises(kubernetes_validate.ValidationError):
        lint(made)


@pytest.mark.parametrize("name", ["startTimeoutSeconds", "max_concurrent_runs", "purgeAfterDays", "nux", "telemetry"])
def test_a_mistake_in_a_setting_of_dagster_is_found(written: Path, name: str) -> None:
    values = yaml.safe_load((written / "helm-values.yaml").read_text().replace(f"{name}:", f"{name}s:"))
    with pytest.raises((AssertionError, KeyError)):
        assert_as_elsewhere(values, written)


def test_the_chart_gives_dagster_the_settings_that_run_elsewhere(written: Path) -> None:
    assert_as_elsewhere(helm_values(written), written)


def assert_as_elsewhere(values: dict[str, Any], written: Path) -> None:
    """The chart gives Dagster what `dagster.yaml` does, but for the output of runs."""
    made, unread = instance(values)
    assert unread == {}
    ours = yaml.safe_load((written / "dagster.yaml").read_text())
    coordinator = {"module": "dagster._core.run_coordinator", "class": "QueuedRunCoordinator"}
    assert made.pop("run_coordinator") == {**coordinator, "config": ours.pop("run_queue")}
    assert made.pop("run_launcher") == {"module": "dagster", "class": "DefaultRunLauncher", "config": {}}
    assert made.pop("compute_logs")["class"] == "NoOpComputeLogManager"
    for ticks in made["retention"].values():
        assert ticks["purge_after_days"].pop("started") == -1
    database, storage = (each.pop("storage")["postgres"]["postgres_db"] for each in (ours, made))
    assert storage["scheme"] == database["scheme"]
    assert storage.keys() == database.keys()
    assert made == ours


@pytest.mark.exhaustive
def test_dagster_takes_the_settings_that_the_chart_gives_it(written: Path, tmp_path: Path) -> None:
    made, _ = instance(helm_values(written))
    del made["storage"]  # which would look for its database
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(made))
    with dg.DagsterInstance.from_config(str(tmp_path)) as taken:
        assert taken.get_settings("run_monitoring") == made["run_monitoring"]
        assert taken.get_settings("retention") == made["retention"]


def test_commands_in_the_pod_find_dagsters_database(written: Path) -> None:
    values = helm_values(written)
    made, _ = code_server(values)
    (container,) = made["spec"]["template"]["spec"]["containers"]
    given = {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}
    assert f"ENV DAGSTER_HOME={given['DAGSTER_HOME']} " in (written / "Dockerfile").read_text()
    chart = instance(values)[0]["storage"]["postgres"]["postgres_db"]
    ours = yaml.safe_load((written / "dagster.yaml").read_text())["storage"]["postgres"]["postgres_db"]
    for name in ("hostname", "port", "username", "db_name"):
        assert given[ours[name]["env"]] == str(chart[name])
    assert given[ours["password"]["env"]] == given[chart["password"]["env"]]


def test_the_chapter_says_which_kubernetes_that_is() -> None:
    assert f"the schemas of Kubernetes {' and '.join(KUBERNETES)}." in CHAPTERS["deployment"].text


def test_kubernetes_takes_the_claim_of_the_chapter() -> None:
    claim = yaml.safe_load(claim_in_the_chapter())
    lint(claim)
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    for right, wrong in (("accessModes", "accessMode"), ("requests", "request"), ("resources", "size")):
        mistaken = yaml.safe_load(claim_in_the_chapter().replace(right, wrong))
        with pytest.raises(kubernetes_validate.ValidationError):
            lint(mistaken)
