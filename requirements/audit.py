"""Look up what serves among known vulnerabilities: python requirements/audit.py, where pip-audit is installed.

Where no advisory service answers it says so and passes, so that the checks run offline, too.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LOCK = Path(__file__).with_name("server.txt")
SECONDS = 60  # for all of it
COMMAND = ("-m", "pip_audit", "--disable-pip", "--progress-spinner", "off", "--timeout", "5", "--format", "json")


def main() -> int:
    """Print what was found; returns 1 where something is vulnerable."""
    command = [sys.executable, *COMMAND, "--requirement", str(LOCK)]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        report = json.loads(run.stdout)
    except subprocess.TimeoutExpired:
        print(f"audit skipped: the advisory service did not answer within {SECONDS} s")
        return 0
    except ValueError:
        why = (run.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1]
        print(f"audit skipped: {why[:200]}")
        return 0
    status, text = verdict(report)
    print(text)
    return status


def verdict(report: Mapping[str, Any]) -> tuple[int, str]:
    """Turn pip-audit's report into an exit status and what to say; what could not be looked up is never called safe."""
    found = report["dependencies"]
    unknown = [one["name"] for one in found if "skip_reason" in one]
    if len(unknown) == len(found):
        return 0, f"audit skipped: no advisory service answers for any of {len(found)} packages"
    lines = [
        f"{one['name']} {one['version']}: {fault['id']}, fixed in {', '.join(fault['fix_versions']) or 'no version'}"
        for one in found
        for fault in one.get("vulns", ())
    ]
    status = 1 if lines else 0
    lines.append(f"audit: {len(found) - len(unknown)} packages looked up, {len(lines)} known vulnerabilities")
    if unknown:
        lines.append(f"not looked up: {', '.join(unknown)}")
    return status, "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
