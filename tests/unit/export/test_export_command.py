"""`python -m export` as a user meets it."""

from pathlib import Path

import pytest

from export.__main__ import main

pytestmark = pytest.mark.torch


@pytest.mark.parametrize("flag", ["--max-length", "--max-source-tokens", "--candidates"])
@pytest.mark.parametrize("value", [0, 65_537])
def test_a_number_out_of_bounds_names_its_flag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], flag: str, value: int
) -> None:
    """It is told with both bounds, before the run is read."""
    monkeypatch.setattr("sys.argv", ["python -m export", str(tmp_path), str(tmp_path / "en-de"), flag, str(value)])
    with pytest.raises(SystemExit):
        main()
    assert f"argument {flag}: {value} must be 1 to 65536" in capsys.readouterr().err
