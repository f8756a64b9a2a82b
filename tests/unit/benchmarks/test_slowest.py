"""A table of the slowest requests tells their stages, and what none of those explains."""

from benchmarks.slowest import HEAD, PARTS, Ended, table
from seq2serve.v1.translation_pb2 import Timing


def ended(number: int) -> Ended:
    """Let a request take as many steps as its number, of 2 ms each, 1 ms in line, 3 in the encoder and 4 elsewhere."""
    timing = Timing(decode_steps=number, mean_batch_size=8.0)
    timing.queue.FromMicroseconds(1000)
    timing.encode.FromMicroseconds(3000)
    timing.decode.FromMicroseconds(2000 * number)
    return Ended(0.008 + 0.002 * number, timing)


def test_stages_add_up_to_the_latency_of_those_around_a_percentile() -> None:
    """In whatever order they ended; steps tell the slowest from the others."""
    lines = table([ended(number) for number in (*range(1001, 2001), *range(1, 1001))])
    assert [line[0] for line in lines] == list(PARTS)
    cells = [dict(zip(HEAD, line, strict=True)) for line in lines]
    for line, steps in zip(cells, (1000.5, 1000.5, 1900.5, 1980.5), strict=True):
        assert abs(float(line["steps"]) - steps) < 1
        assert abs(float(line["latency, ms"]) - (8 + 2 * steps)) < 3
        assert [line[name] for name in ("in line", "encoder", "all else", "ms a step")] == ["1", "3", "4", "2"]
        assert line["rows a step"] == "8"
