"""How rows of an encoder batch join."""

from collections.abc import Sequence

from service.request import Encoded, Lane
from tests.factories import FakeRunner, make_engine, make_request, run_dry


class Noting(FakeRunner):
    """Note which rows of a batch join."""

    encoder_rows = 64

    def __init__(self) -> None:
        super().__init__()
        self.chosen: list[list[int]] = []

    def admit(self, lane: Lane, encoded: Encoded, chosen: Sequence[int], rows: Sequence[int]) -> None:
        """Write rows."""
        self.chosen.append(list(chosen))
        super().admit(lane, encoded, chosen, rows)


def test_rows_that_join_together_lie_together() -> None:
    """Of an encoder batch, those of a lane join in the order of its rows, whatever their lengths."""
    engine, finished = make_engine(runner := Noting(), slots=6)
    requests = [make_request(*range(5, 5 + length)) for length in (3, 20, 9, 2, 12, 7, 5, 10, 4, 30, 6, 11)]
    for request in requests:
        engine.submit(request)
    run_dry(engine)
    assert len(finished) == len(requests) == sum(map(len, runner.chosen))
    assert max(map(len, runner.chosen)) > 2
    assert all(chosen == list(range(chosen[0], chosen[0] + len(chosen))) for chosen in runner.chosen)
