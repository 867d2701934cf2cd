"""What Dagster's chart makes of our values: the pod of the code server, and Dagster's settings.

The chart is not to be had here. What its templates read was looked up in their sources, and is written down again as functions.
Each takes out of the values what it uses, so that `unread` is what the chart would not look at: a mistyped name, for example.
"""

from copy import deepcopy
from typing import Any

Values = dict[str, Any]


def code_server(values: Values) -> tuple[Values, Values]:
    """The Deployment of the code server, and what is unread of its values."""
    (given,) = deepcopy(values["dagster-user-deployments"]["deployments"])
    name, image, port = given.pop("name"), given.pop("image"), str(given.pop("port"))
    probe = given.pop("readinessProbe")
    assert probe.pop("enabled") is True
    password = {"name": values["global"]["postgresqlSecretName"], "key": "postgresql-password"}
    container = {
        "name": "dagster-user-deployments",
        "image": f"{image.pop('repository')}:{image.pop('tag')}",
        "imagePullPolicy": image.pop("pullPolicy"),
        "args": ["dagster", "code-server", "start", "-h", "0.0.0.0", "-p", port, *given.pop("codeServerArgs")],
        "env": [{"name": "DAGSTER_PG_PASSWORD", "valueFrom": {"secretKeyRef": password}}, *given.pop("env")],
        "envFrom": [{"secretRef": each} for each in given.pop("envSecrets")],
        "readinessProbe": {"exec": {"command": ["dagster", "api", "grpc-health-check", "-p", port]}, **probe},
        "securityContext": given.pop("securityContext"),
        "volumeMounts": given.pop("volumeMounts"),
    }
    pod = {
        "securityContext": given.pop("podSecurityContext"),
        "containers": [container],
        "volumes": given.pop("volumes"),
    }
    labels = {"deployment": name}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": 1,
            "strategy": given.pop("deploymentStrategy"),
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
    return deployment, given | image


def instance(values: Values) -> tuple[Values, Values]:
    """The `dagster.yaml` of webserver and daemon, and what is unread of the values but for the code server's."""
    given = deepcopy(values)
    del given["dagster-user-deployments"]["deployments"]
    assert given.pop("dagster-user-deployments") == {"enabled": True}
    assert given.pop("generatePostgresqlPasswordSecret") is False
    assert given.pop("global").keys() == {"postgresqlSecretName"}
    database, daemon, launcher = given.pop("postgresql"), given.pop("dagsterDaemon"), given.pop("runLauncher")
    assert database.pop("enabled") is False
    coordinator, logs = daemon.pop("runCoordinator"), given.pop("computeLogManager")
    assert coordinator.pop("enabled") is True
    retention, scheduler = given.pop("retention"), given.pop("scheduler")
    assert retention.pop("enabled") is True
    made = {
        "storage": {"postgres": {"postgres_db": _storage(database)}},
        "run_launcher": _only(launcher, "CustomRunLauncher", "customRunLauncher"),
        "run_coordinator": _only(coordinator, "CustomRunCoordinator", "customRunCoordinator"),
        "compute_logs": {
            "module": "dagster.core.storage.noop_compute_log_manager",
            "class": logs.pop("type"),
        },
        "scheduler": {
            "module": "dagster.core.scheduler",
            "class": "DagsterDaemonScheduler",
            "config": _snake(_only(scheduler, "DagsterDaemonScheduler", "daemonScheduler")),
        },
        "run_monitoring": _snake(daemon.pop("runMonitoring")),
        "run_retries": _snake(daemon.pop("runRetries")),
        "retention": {kind: _snake(retention.pop(kind)) for kind in ("schedule", "sensor")},
        "telemetry": given.pop("telemetry"),
        **given.pop("additionalInstanceConfig"),
    }
    return made, given | database | daemon | logs | retention


def _storage(database: Values) -> Values:
    return {
        "username": database.pop("postgresqlUsername"),
        "password": {"env": "DAGSTER_PG_PASSWORD"},
        "hostname": database.pop("postgresqlHost"),
        "db_name": database.pop("postgresqlDatabase"),
        "port": database.pop("service")["port"],
        "scheme": database.pop("postgresqlScheme"),
    }


def _only(choice: Values, kind: str, key: str) -> Values:
    """The configuration of what is chosen by its kind."""
    assert choice == {"type": kind, "config": {key: choice["config"][key]}}
    found: Values = choice["config"][key]
    return found


def _snake(given: Values) -> Values:
    return {"".join(f"_{c.lower()}" if c.isupper() else c for c in name): value for name, value in given.items()}
