"""The manifests that ship: valid by Kubernetes' own schemas, and as careful as they say."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).parents[1]
VERSIONS = ("1.30", "1.34")


def manifests() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            yield f"{path.name}: {document['kind']} {document['metadata']['name']}", document


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, document in manifests():
        if document["kind"] in ("Deployment", "Job"):
            yield name, document["spec"]["template"]["spec"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("name", "document"), list(manifests()), ids=[name for name, _ in manifests()])
def test_a_manifest_is_valid(name: str, document: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize(("name", "pod"), list(pods()), ids=[name for name, _ in pods()])
def test_a_pod_runs_as_a_user_on_a_read_only_root_with_no_capabilities(name: str, pod: dict[str, Any]) -> None:
    assert pod["securityContext"]["runAsNonRoot"] is True
    for container in pod["containers"]:
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] is True
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}


def test_mail_in_flight_has_time_to_finish() -> None:
    found = dict(manifests())
    worker = found["40-worker.yaml: Deployment notifier-worker"]["spec"]["template"]["spec"]
    grace = found["10-configuration.yaml: ConfigMap notifier"]["data"]["NOTIFIER_SHUTDOWN_GRACE"]
    assert worker["terminationGracePeriodSeconds"] > float(grace.removesuffix("s")) + 5


@pytest.mark.parametrize("name", ["compose.yaml", "compose.scale.yaml"])
def test_a_compose_file_runs_commands_that_there_are(name: str) -> None:
    services = yaml.safe_load((ROOT / name).read_text())["services"]
    commands = {next(iter(service.get("command", ["serve"]))) for service in services.values() if "build" in service}
    assert commands <= {"serve", "api", "worker", "db", "capture"}
