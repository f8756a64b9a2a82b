"""`python -m service compose` writes a server for each GPU, which all have one name in DNS."""

from typing import Any

import pytest

from service.compose_command import compose_file, main

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed (make test installs it)")


def services(gpus: int) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(compose_file(gpus))["services"]
    return read


@pytest.mark.parametrize("gpus", [1, 2, 8])
def test_each_device_has_one_server(gpus: int) -> None:
    """No two share a device, and none is left over."""
    made = services(gpus)
    assert list(made) == ["server", *(f"server-{device}" for device in range(1, gpus))]
    taken = [one["deploy"]["resources"]["reservations"]["devices"] for one in made.values()]
    assert [[one["device_ids"] for one in devices] for devices in taken] == [[[str(n)]] for n in range(gpus)]
    assert all(one["deploy"]["replicas"] == 1 for one in made.values())
    assert all(one["environment"] == {"SEQ2SERVE_DEVICE": "cuda"} for one in made.values())


def test_all_are_found_by_the_name_of_the_first() -> None:
    """The others are what it is in docker-compose.yml, and have its name, too."""
    first, *others = services(3).values()
    assert "extends" not in first
    assert {str(one["extends"]) for one in others} == {str({"file": "docker-compose.yml", "service": "server"})}
    assert all(one["networks"]["default"]["aliases"] == ["server"] for one in others)


def test_the_file_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """So that it can be looked at, and put where it is wanted."""
    assert main(["--gpus", "2"]) == 0
    assert capsys.readouterr().out == compose_file(2)


@pytest.mark.parametrize("gpus", ["0", "33", "-1", "two", "1.5"])
def test_a_number_that_cannot_be_is_named(gpus: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The balancer has 32 places."""
    with pytest.raises(SystemExit):
        main(["--gpus", gpus])
    assert f"'{gpus}' is not a number from 1 to 32" in capsys.readouterr().err
