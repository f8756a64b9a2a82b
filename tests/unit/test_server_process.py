"""Servers of any checkout are started with flags that they know, and their logs are read while they write."""

from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.server_process import ServerProcess

FAKE = """
import os, sys, time
os.write(2, f"{sys.argv[1:]}\\n".encode())
print("is ready on 127.0.0.1:1 after 0.1 s: all (metrics on http://127.0.0.1:2/metrics)\\nhint", flush=True)
for number in range(LINES):
    os.write(2, f"{number}\\n".encode())
os.write(2, b"done\\n")
time.sleep(60)
"""


def start(root: Path, lines: int = 0) -> ServerProcess:
    """Start what says that it is a server, and logs its flags and numbers."""
    (root / "fake.py").write_text(FAKE.replace("LINES", str(lines)), "utf-8")
    return ServerProcess(root=root, module="fake")


@pytest.mark.parametrize(
    ("versions", "pinned"), [(["en-de/1"], False), (["en-de/1", "en-de/2"], True), (["en-de/1", "en-fr/1"], True)]
)
def test_a_version_is_named_where_there_are_others(tmp_path: Path, versions: list[str], pinned: bool) -> None:
    """A checkout's server has its own models, and one from before --serve-versions is not given the flag."""
    for version in versions:
        (tmp_path / "model_repository" / version).mkdir(parents=True)
    with start(tmp_path) as server:
        assert eventually(lambda: "done" in server.log())
        flags = server.log().splitlines()[0]

    assert f"'--model-repository', '{tmp_path / 'model_repository'}'" in flags
    assert ("'--serve-versions', 'en-de/1'" in flags) == pinned


def test_a_log_is_read_while_it_is_written(tmp_path: Path) -> None:
    """Reading moves nothing: each line stands where the server wrote it."""
    lines = 20_000
    with start(tmp_path, lines) as server:
        while "done" not in server.log():
            assert server.process.poll() is None
        written = server.log().splitlines()[1:-1]

    assert written == [str(number) for number in range(lines)]
