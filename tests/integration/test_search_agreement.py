"""Every way of searching, through a real server, gives what the slow reference over PyTorch gives.

`python -m benchmarks.search_agreement` does the same with more sentences.
"""

import asyncio

import pytest

from tests.option_sets import UNUSUAL, option_sets
from tests.server_process import ServerProcess

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

SENTENCES = [
    *UNUSUAL,
    "I am tired, and I want to go home.",
    "He lost his keys and his phone.",
    "Anna said that she was happy.",
    "Stop!",
]


def test_all_searches_agree_with_the_reference(fp32_server: ServerProcess) -> None:
    """All kinds of requests in flight at once: ids, ends and log-probabilities of all hypotheses are right."""
    from benchmarks.search_agreement import is_tie, reference, same, serve

    sets = option_sets()
    # Four beams follow each other: every sentence takes one of them, and all that have none.
    jobs = [
        (source, one)
        for i, source in enumerate(SENTENCES)
        for k, one in enumerate(sets)
        if not one.beam or k % 4 == i % 4
    ]
    served = asyncio.run(serve(fp32_server.address, [(source, one.options) for source, one in jobs]))
    for (source, one), found in zip(jobs, served, strict=True):
        expected = reference(source, one.options)
        if same(found, expected):
            for a, b in zip(found, expected, strict=True):
                assert a.log_probability == pytest.approx(b.log_probability, abs=1e-3), (source, one)
        else:
            assert is_tie(source, one.options, found), f"{source!r} with {one}: {found}, {expected} expected"
