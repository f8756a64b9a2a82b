"""Which runs are waited for: all but replays of captured graphs."""

from typing import Any

import onnxruntime
import pytest

from service.device.bound import WITHOUT_GRAPH, Bound
from service.device.host import HostMemory


class Session:
    """Note with which options it ran."""

    def __init__(self) -> None:
        self.runs: list[tuple[str, str]] = []

    def io_binding(self) -> "Session":
        return self

    def run_with_iobinding(self, binding: Any, options: onnxruntime.RunOptions) -> None:
        names = "gpu_graph_id", "disable_synchronize_execution_providers"
        graph, unwaited = (options.get_run_config_entry(name) for name in names)
        self.runs.append((graph, unwaited))


@pytest.mark.parametrize(("number", "later"), [(WITHOUT_GRAPH, "0"), (0, "1"), (3, "1")])
def test_only_replays_are_not_waited_for(number: int, later: str) -> None:
    """The run that captures is waited for, later ones are not; without a graph every run is."""
    session: Any = Session()
    bound = Bound(session, HostMemory(), [], [], number)
    for _ in range(3):
        bound.run()
    assert session.runs == [(str(number), "0"), (str(number), later), (str(number), later)]
