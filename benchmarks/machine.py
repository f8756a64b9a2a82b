"""What a figure depends on besides the code: the machine, the versions, the commit, the day."""

import datetime
import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

from tests.server_process import ROOT

PACKAGES = ("onnxruntime-gpu", "grpcio", "numpy")
SIMD = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8")


def describe_machine() -> str:
    """Describe all of it in one line."""
    return ", ".join([
        f"{os.cpu_count()} cores of {_processor()}",
        platform.platform(terse=True),
        f"Python {platform.python_version()}",
        *(f"{name} {version(name)}" for name in PACKAGES),
        f"commit {commit(ROOT)}",
        datetime.datetime.now(datetime.UTC).date().isoformat(),
    ])  # fmt: skip


def _processor() -> str:
    """Name the processor and what it has for products (Linux)."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    fields = dict(re.findall(r"^(\S.*?)\s*: (.*)$", text, re.MULTILINE))
    has = [name for name in SIMD if name in fields.get("flags", "").split()]
    family = f"family {fields.get('cpu family', '?')} model {fields.get('model', '?')}"
    return f"{fields.get('model name', platform.machine())} ({family}, {' '.join(has) or 'no AVX2'})"


def commit(checkout: Path) -> str:
    """Name the commit of a checkout, and whether its files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    found = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"
