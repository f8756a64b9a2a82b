"""Arrays that grow together stay together."""

import numpy
import pytest

from service.search.rows import Rows


class Two(Rows):
    """Hold two arrays."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = numpy.zeros(0), numpy.zeros((0, 3))


def test_where_there_is_no_memory_for_all_they_are_as_long_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """And grow when there is."""
    rows, make = Two(), numpy.zeros
    rows.reach(7)
    rows.one[:8], rows.other[:8] = 1, 2

    def zeros(shape: tuple[int, ...], dtype: type) -> numpy.ndarray:
        if len(shape) > 1:
            raise MemoryError("none is left")
        return make(shape, dtype)

    with monkeypatch.context() as patched:
        patched.setattr(numpy, "zeros", zeros)
        with pytest.raises(MemoryError):
            rows.reach(8)
    assert rows.rows == 8
    rows.reach(8)
    rows.one[8], rows.other[8] = 3, 4
    assert rows.one[:9].tolist() == [1] * 8 + [3]
    assert (rows.other[:8] == 2).all()
    assert rows.rows == 9
