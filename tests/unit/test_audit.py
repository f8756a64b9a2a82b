"""What `make audit` makes of pip-audit's report."""

from typing import Any

from requirements.audit import verdict

SAFE: dict[str, Any] = {"name": "safe", "version": "1", "vulns": []}
UNSAFE: dict[str, Any] = {"name": "unsafe", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}]}
UNKNOWN: dict[str, Any] = {"name": "unknown", "skip_reason": "not found"}


def test_a_vulnerability_fails_and_is_named() -> None:
    """With the version that mends it."""
    status, text = verdict({"dependencies": [SAFE, UNSAFE]})
    assert status == 1
    assert "unsafe 2: CVE-1, fixed in 3" in text
    assert "2 packages looked up, 1 known vulnerabilities" in text


def test_what_was_not_looked_up_is_not_called_safe() -> None:
    """Some of them are named; where it is all of them, nothing was audited."""
    assert verdict({"dependencies": [SAFE]}) == (0, "audit: 1 packages looked up, 0 known vulnerabilities")
    assert verdict({"dependencies": [SAFE, UNKNOWN]})[1].endswith("not looked up: unknown")
    assert verdict({"dependencies": [UNKNOWN]})[1].startswith("audit skipped: no advisory service answers")
