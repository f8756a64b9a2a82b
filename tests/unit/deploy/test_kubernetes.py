"""deploy/kubernetes is what a cluster accepts, and its parts speak of the same pods, ports and metrics."""

import json
import re
import shutil
import subprocess
from typing import Any

import pytest

from service.settings import Settings
from tests.server_process import ROOT

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed (make test installs it)")
jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed (make test installs it)")
kubernetes_validate = pytest.importorskip(
    "kubernetes_validate", reason="kubernetes-validate is not installed (make test installs it)"
)
FOLDER = ROOT / "deploy" / "kubernetes"
PODMONITOR = json.loads((ROOT / "tests" / "data" / "kubernetes" / "podmonitor-v1.json").read_text(encoding="utf-8"))
VERSIONS = ("1.29", "1.32", kubernetes_validate.latest_version())
Objects = dict[str, Any]


@pytest.fixture(scope="module", params=["base", "gpu"])
def rendered(request: pytest.FixtureRequest) -> Objects:
    """Render one of the two, as `kubectl apply -k` does; returns the objects by their kinds."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl, which renders the objects, is not installed")
    command = ["kubectl", "kustomize", str(FOLDER / request.param)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {one["kind"]: one for one in yaml.safe_load_all(text)}


def template(rendered: Objects) -> Objects:
    made: Objects = rendered["Deployment"]["spec"]["template"]
    return made


def container(rendered: Objects) -> Objects:
    (one,) = template(rendered)["spec"]["containers"]
    return dict(one)


def test_the_files_are_yaml() -> None:
    """Also where there is no kubectl to render them."""
    named = yaml.safe_load((FOLDER / "base" / "kustomization.yaml").read_text(encoding="utf-8"))["resources"]
    assert sorted(named) == sorted(
        file.name for file in (FOLDER / "base").glob("*.yaml") if file.name != "kustomization.yaml"
    )
    assert all(yaml.safe_load((FOLDER / "base" / name).read_text(encoding="utf-8"))["kind"] for name in named)


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_accepts_its_own_kinds(rendered: Objects, version: str) -> None:
    """By the schemas of old and new versions, without a field that they do not know."""
    own = [one for kind, one in rendered.items() if kind != "PodMonitor"]
    assert len(own) == 4
    for one in own:
        kubernetes_validate.validate(one, version, strict=True)


def test_a_misspelt_field_is_refused(rendered: Objects) -> None:
    """So that the test above can fail."""
    wrong = json.loads(json.dumps(rendered["Deployment"]))
    wrong["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[0], strict=True)


def test_the_operator_accepts_the_pod_monitor(rendered: Objects) -> None:
    """By its schema as far as we know it."""
    jsonschema.validate(rendered["PodMonitor"], PODMONITOR)
    wrong = json.loads(json.dumps(rendered["PodMonitor"]))
    wrong["spec"]["podMetricsEndpoints"][0]["interval"] = "5 seconds"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, PODMONITOR)


def test_all_choose_the_same_pods(rendered: Objects) -> None:
    """By labels that the pods have."""
    labels = template(rendered)["metadata"]["labels"]
    chosen = [rendered[kind]["spec"]["selector"] for kind in ("Deployment", "PodDisruptionBudget", "PodMonitor")]
    spread = [one["labelSelector"] for one in template(rendered)["spec"]["topologySpreadConstraints"]]
    found = [one["matchLabels"] for one in (*chosen, *spread)] + [rendered["Service"]["spec"]["selector"]]
    assert all(one and one.items() <= labels.items() for one in found)
    assert rendered["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == "seq2serve"
    # The alerts ask for job="server".
    assert labels[rendered["PodMonitor"]["spec"]["jobLabel"]] == "server"


def test_ports_are_the_image_s(rendered: Objects) -> None:
    """Service, probes and scrapes name ports that the container has, where its server listens."""
    ports = {port["name"]: port["containerPort"] for port in container(rendered)["ports"]}
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    listens = {name.lower(): int(port) for name, port in re.findall(r"SEQ2SERVE_(\w+)_ADDRESS=\S+:(\d+)", dockerfile)}
    assert ports == listens
    assert [port["targetPort"] for port in rendered["Service"]["spec"]["ports"]] == ["grpc"]
    probes = [container(rendered)[f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")]
    assert [(probe["path"], probe["port"]) for probe in probes] == [
        ("/readyz", "http"),
        ("/readyz", "http"),
        ("/healthz", "http"),
    ]
    assert [one["port"] for one in rendered["PodMonitor"]["spec"]["podMetricsEndpoints"]] == ["http"]


def test_clients_find_all_pods(rendered: Objects) -> None:
    """A virtual address would hide them."""
    assert rendered["Service"]["spec"]["clusterIP"] == "None"


def test_settings_are_the_server_s(rendered: Objects) -> None:
    """And a pod is given longer than its server takes to drain."""
    set_here = {one["name"]: one["value"] for one in container(rendered)["env"]}
    assert set_here.keys() <= {f"SEQ2SERVE_{name}".upper() for name in Settings.model_fields}
    grace = Settings.model_fields["drain_grace"].default
    patience = template(rendered)["spec"]["terminationGracePeriodSeconds"]
    assert patience > float(set_here["SEQ2SERVE_DRAIN_DELAY"]) + grace + 5  # ANSWER_SECONDS


def test_pods_have_no_rights(rendered: Objects) -> None:
    """As the strictest of Kubernetes' own standards asks, and with nothing to write to."""
    pod, own = template(rendered)["spec"]["securityContext"], container(rendered)["securityContext"]
    assert (pod["runAsNonRoot"], pod["seccompProfile"]) == (True, {"type": "RuntimeDefault"})
    assert (own["allowPrivilegeEscalation"], own["readOnlyRootFilesystem"]) == (False, True)
    assert own["capabilities"] == {"drop": ["ALL"]}
    assert template(rendered)["spec"]["automountServiceAccountToken"] is False
    assert all(mount["readOnly"] for mount in container(rendered)["volumeMounts"])


def test_the_adapter_serves_what_the_autoscaler_reads(rendered: Objects) -> None:
    """By the name that the server gives it."""
    (metric,) = rendered["HorizontalPodAutoscaler"]["spec"]["metrics"]
    adapter = yaml.safe_load((FOLDER / "prometheus-adapter.yaml").read_text(encoding="utf-8"))
    (rule,) = adapter["rules"]["custom"]
    assert rule["name"]["as"] == metric["pods"]["metric"]["name"]
    assert rule["seriesQuery"].startswith(metric["pods"]["metric"]["name"])
    named = rendered["HorizontalPodAutoscaler"]["metadata"]["annotations"]["seq2serve/metrics-adapter"]
    assert named == "prometheus-adapter"


def test_a_gpu_is_asked_for_by_the_image_that_needs_it(rendered: Objects) -> None:
    """Image, device and resource go together."""
    one = container(rendered)
    cuda = one["image"].endswith("-cuda")
    assert ({"name": "SEQ2SERVE_DEVICE", "value": "cuda"} in one["env"]) is cuda
    assert ("nvidia.com/gpu" in one["resources"]["limits"]) is cuda
    version = re.escape(re.findall(r'^VERSION = "(.*)"', (ROOT / "service" / "__init__.py").read_text(), re.M)[0])
    assert re.search(rf":{version}(-cuda)?$", one["image"])
