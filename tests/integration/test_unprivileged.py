"""A server needs no rights: it serves as nobody on a read-only file system, and opens no file for writing."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from seq2serve import Client
from tests.eventually import eventually
from tests.server_process import ROOT, ServerProcess

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs")
# Of its own rights nobody keeps one: to read, where this test's Python lies in the folder of another user.
READING = (
    "--inh-caps=-all,+dac_read_search",
    "--ambient-caps=-all,+dac_read_search",
    "--bounding-set=-all,+dac_read_search",
)
BARE = ("env", "--unset=HOME", "--unset=TMPDIR", "--chdir=/")
READ_ONLY = """
for target in $(cut -d ' ' -f 2 /proc/self/mounts | grep -v -e ^/proc -e ^/sys -e ^/dev/pts); do
    mount -o remount,bind,ro "$target" 2>/dev/null
done
for folder in / /tmp /dev/shm "$PWD"; do
    if touch "$folder/.written" 2>/dev/null; then rm "$folder/.written"; exit 99; fi
done
exec "$@"
"""
ISOLATED = ("unshare", "--mount", "sh", "-c", READ_ONLY, "sh")
IMPORTABLE = {"PYTHONPATH": f"{ROOT}:{ROOT / 'client'}"}
OPENED = re.compile(r'open(?:at)?\((?:AT_FDCWD, )?"(?P<path>[^"]*)", (?P<flags>[\w|]+).* = \d+')
WRITING = {"O_WRONLY", "O_RDWR", "O_CREAT"}
CHANGING = (
    "mkdir,mkdirat,unlink,unlinkat,rename,renameat,renameat2,symlink,symlinkat,link,linkat,chmod,fchmodat,truncate"
)


def works(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, cwd=ROOT, check=False).returncode == 0


def as_nobody() -> Sequence[str]:
    """Return the command that runs another as nobody; skips the test where that cannot be done."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root, with setpriv, can start a process as another user")
    reads = (*BARE, sys.executable, "-c", "import grpc")
    prefix = NOBODY if works(*NOBODY, *reads) else (*NOBODY, *READING)
    if not works(*prefix, *reads):
        pytest.skip(f"nobody cannot run {sys.executable}")
    return prefix


def test_nobody_serves_on_a_read_only_file_system() -> None:
    """Without HOME, TMPDIR, or a working folder that is its own."""
    nobody = as_nobody()
    if not works(*ISOLATED, "true"):
        pytest.skip("no read-only mount namespace can be made here")
    with ServerProcess(prefix=(*ISOLATED, *nobody, *BARE), environment=IMPORTABLE) as server:
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        assert re.search(r"^Uid:\t65534\t65534\t65534\t65534$", status, re.MULTILINE)
        with Client(server.address) as client:
            assert client.translate("Good morning.").text
        assert server.stop() == 0


def test_nothing_is_opened_for_writing(tmp_path: Path) -> None:
    """From its start over a translation to its end a server writes to no file, and changes none."""
    trace = tmp_path / "trace"
    strace = ("strace", "-D", "-ff", "-e", f"trace=open,openat,creat,{CHANGING}", "-o", str(trace))
    if shutil.which("strace") is None or not works(*strace, "true"):
        pytest.skip("strace, which shows what a process opens, does not work here")
    # Python's own cache of compiled modules is not the server's doing, and off in the image.
    with ServerProcess(prefix=strace, environment={"PYTHONDONTWRITEBYTECODE": "1"}) as server:
        with Client(server.address) as client:
            assert client.translate("Good morning.").text
        assert server.stop() == 0
        main = trace.with_suffix(f".{server.process.pid}")  # each thread has a file of its own
        assert eventually(lambda: "+++ exited with 0 +++" in main.read_text())
    done = "".join(file.read_text() for file in tmp_path.iterdir()).splitlines()
    lines = [line for line in done if line.rpartition(" = ")[2].isdecimal()]  # what failed changed nothing
    opened = [found for found in map(OPENED.search, lines) if found]
    assert any(found["path"].endswith("encoder.onnx") for found in opened)
    written = {found["path"] for found in opened if WRITING & set(found["flags"].split("|"))}
    assert {path for path in written if not path.startswith(("/dev/null", "/proc/self/"))} == set()
    assert [line for line in lines if not OPENED.search(line)] == []
