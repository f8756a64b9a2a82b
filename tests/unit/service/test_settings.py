"""Settings come from flags, variables, a file and defaults, and are checked before anything starts."""

from pathlib import Path

import pytest

from service.errors import StartupError
from service.settings import read_settings


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("SEQ2SERVE_")]:
        monkeypatch.delenv(name)


def test_flag_beats_variable_beats_file_beats_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each source wins over those behind it."""
    file = tmp_path / "settings.toml"
    file.write_text("slots = 1\nthreads = 1\nqueue_limit = 1\n")
    monkeypatch.setenv("SEQ2SERVE_SLOTS", "2")
    monkeypatch.setenv("SEQ2SERVE_THREADS", "2")
    settings = read_settings(["--config", str(file), "--slots", "3"])
    assert (settings.slots, settings.threads, settings.queue_limit, settings.max_beam_size) == (3, 2, 1, 12)


def test_file_named_by_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SEQ2SERVE_CONFIG names the file as --config does."""
    file = tmp_path / "settings.toml"
    file.write_text("slots = 5\n")
    monkeypatch.setenv("SEQ2SERVE_CONFIG", str(file))
    assert read_settings([]).slots == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--aliases", "en-de=1"], "--aliases 'en-de=1': Value error, 'en-de=1' is not NAME:ALIAS=VERSION"),
        (["--slots", "-1"], "--slots '-1': Input should be greater than or equal to 0"),
        *(
            ([f"--max-{name}", "2147483648"], f"--max-{name} '2147483648': Input should be less than 2147483648")
            for name in ("text-bytes", "batch-items", "glossary-terms")  # which messages tell in 31 bits
        ),
        (["--grpc-address", "localhost"], "--grpc-address 'localhost': .* is not HOST:PORT"),
        (["--http-address", "localhost:99999"], "is not HOST:PORT"),
        (["--device", "tpu"], "--device 'tpu'"),
        (["--precision", "fp8"], "--precision 'fp8': Input should be 'auto', 'fp32', 'fp16' or 'int8'"),
        (["--config", "nowhere.toml"], "--config nowhere.toml: there is no such file"),
    ],
)
def test_bad_value_is_named(arguments: list[str], message: str) -> None:
    """The message names the flag and the value."""
    with pytest.raises((StartupError, SystemExit), match=message):
        read_settings(arguments)


def test_unknown_settings_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt name is an error wherever it stands."""
    file = tmp_path / "settings.toml"
    file.write_text("slot = 5\n")
    with pytest.raises(StartupError, match="--slot 5"):
        read_settings(["--config", str(file)])
    with pytest.raises(SystemExit):
        read_settings(["--slot", "5"])
    monkeypatch.setenv("SEQ2SERVE_SLOT", "5")
    with pytest.raises(StartupError, match="unknown settings SEQ2SERVE_SLOT"):
        read_settings([])


def test_variables_of_the_client_are_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever calls a server may also start one."""
    for name in ("SEQ2SERVE_ADDRESS", "SEQ2SERVE_TOKEN"):
        monkeypatch.setenv(name, "anything")
    assert read_settings([]).slots == 0


def test_broken_file_is_named(tmp_path: Path) -> None:
    """A file that is not TOML is named."""
    file = tmp_path / "settings.toml"
    file.write_text("slots = = 5\n")
    with pytest.raises(StartupError, match=r"--config .*settings\.toml"):
        read_settings(["--config", str(file)])


def test_help_lists_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    """Each setting has its flag and one line of meaning."""
    from service.settings import Settings

    with pytest.raises(SystemExit) as stop:
        read_settings(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for name, field in Settings.model_fields.items():
        assert f"--{name.replace('_', '-')}" in text
        assert field.description
