"""A release takes its notes from the changelog, and its workflow runs what is there."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / ".ci" / "changelog.py"
CHANGELOG = """# Changelog

## Unreleased

### Added
- What nobody has yet.

## 0.2.0 - 2026-12-01

### Added
- More.

### Changed
- ## is no heading here.

## [0.1.0] - 2026-11-01
- All.

## 0.0.1
"""


def run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the script beside a changelog of its own."""
    (folder / ".ci").mkdir()
    (folder / ".ci" / SCRIPT.name).write_bytes(SCRIPT.read_bytes())
    (folder / "CHANGELOG.md").write_text(CHANGELOG)
    command = [sys.executable, f".ci/{SCRIPT.name}", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("version", "section"),
    [
        ("0.2.0", "### Added\n- More.\n\n### Changed\n- ## is no heading here.\n"),
        ("0.1.0", "- All.\n"),
        ("Unreleased", "### Added\n- What nobody has yet.\n"),
    ],
)
def test_section_is_printed_without_its_heading(tmp_path: Path, version: str, section: str) -> None:
    """What follows, up to the next version, is what the notes of a release say."""
    assert run(tmp_path, version).stdout == section


@pytest.mark.parametrize("version", ["0.3.0", "0.2", "0.0.1", ""])
def test_version_without_entries_stops_the_release(tmp_path: Path, version: str) -> None:
    """Nobody releases what the changelog does not speak of."""
    done = run(tmp_path, version)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"says nothing of {version}, only of Unreleased, 0.2.0, 0.1.0, 0.0.1" in done.stderr


def test_script_says_how_it_is_called(tmp_path: Path) -> None:
    """Without a version there is nothing to print."""
    assert "python .ci/changelog.py 0.1.0" in run(tmp_path).stderr


def workflow() -> dict[str, Any]:
    """Read the workflow."""
    yaml = pytest.importorskip("yaml", reason="PyYAML, which pre-commit brings, is not installed")
    read: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())
    return read


def steps() -> list[dict[str, Any]]:
    """List the steps of all jobs."""
    return [step for job in workflow()["jobs"].values() for step in job["steps"]]


def test_every_shell_step_parses() -> None:
    """What bash would not read never comes as far as a tag."""
    scripts = [step["run"] for step in steps() if "run" in step]
    assert scripts
    for script in scripts:
        assert "${{" not in script, "a value of GitHub's goes through env, where it cannot become a command"
        subprocess.run(["bash", "-n", "-c", script], check=True)


def test_workflow_names_what_exists() -> None:
    """Files, make's targets and other jobs are spelt as they are."""
    jobs, scripts = workflow()["jobs"], "\n".join(step.get("run", "") for step in steps())
    for name in re.findall(r"(?:requirements/\S+\.txt|\.ci/\S+\.py|pyproject\.toml)", scripts):
        assert (ROOT / name).is_file(), name
    targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"\bmake ([a-z]+)", scripts)) <= set(targets)
    assert {name for job in jobs.values() for name in [job.get("needs", [])] if isinstance(name, str)} <= jobs.keys()
    for job, output in re.findall(r"needs\.(\w+)\.outputs\.(\w+)", str(jobs)):
        assert output in jobs[job]["outputs"]


def test_images_are_of_a_lock_that_exists() -> None:
    """Each image is built from the Dockerfile, for a CPU unless it names another lock."""
    builds = [step["with"] for step in steps() if step.get("uses", "").startswith("docker/build-push-action")]
    assert {build["file"] for build in builds} == {"deploy/Dockerfile"}
    locks = [build.get("build-args", "LOCK=cpu").removeprefix("LOCK=") for build in builds]
    assert locks == ["cpu", "cuda"]
    assert all((ROOT / "requirements" / f"{lock}.txt").is_file() for lock in locks)
    assert f"ARG LOCK={locks[0]}\n" in (ROOT / "deploy" / "Dockerfile").read_text()


def test_version_is_the_tags(tmp_path: Path) -> None:
    """The tag v1.2.3 releases 1.2.3."""
    (step,) = [step for step in steps() if step.get("id") == "version"]
    output = tmp_path / "output"
    environment = {**os.environ, "GITHUB_OUTPUT": str(output), "GITHUB_REF_NAME": "v1.2.3"}
    subprocess.run(["bash", "-e", "-c", step["run"]], env=environment, check=True)
    assert output.read_text() == "version=1.2.3\n"
