"""The stack of docker-compose.yml, started once for all tests."""

from collections.abc import Iterator

import pytest

from tests.compose_stack import ComposeStack, index_answers, missing

CPUS = "0.5"  # of each replica, so that all have the same, however busy the machine is


@pytest.fixture(scope="session")
def stack() -> Iterator[ComposeStack]:
    """Start the stack with one replica; what a test changes of it, the next one finds."""
    if reason := missing():
        pytest.skip(reason)
    try:
        made = ComposeStack("seq2serve-e2e", SERVER_CPUS=CPUS)
    except RuntimeError:
        if index_answers():
            raise
        pytest.skip("a container here reaches no package index, from which the server's image is built")
    with made as started:
        started.scale(1)
        yield started
