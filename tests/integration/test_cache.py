"""What was answered before is answered from memory, alike in every bit."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from seq2serve import Client, Tokens
from tests.integration.conftest import scrape
from tests.server_process import ServerProcess

TEXT = "The children are playing in the garden behind the house."
COUNT = "seq2serve_cache_requests_total{%s}"


@pytest.fixture(scope="module")
def caching() -> Iterator[ServerProcess]:
    """Serve with a cache of two answers."""
    with ServerProcess("--cache-entries", "2") as process:
        yield process


class Outcomes:
    """Tell what became of the requests since it was made."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._before = self._all()

    def _all(self) -> Counter[str]:
        figures = scrape(self._server.http)
        return Counter({outcome: int(figures.get(COUNT % outcome, 0)) for outcome in ("hit", "shared", "miss")})

    def __call__(self) -> Counter[str]:
        return self._all() - self._before


def test_alike_requests_are_searched_for_once(caching: ServerProcess) -> None:
    """A repeat is a hit with the same reply; other options, pieces or a longer limit are not."""
    outcomes = Outcomes(caching)
    with Client(caching.address) as client:
        first, again = (client.translate(TEXT, beam_size=3, scores=True, tokens=True) for _ in range(2))
        assert first.hypotheses == again.hypotheses
        assert (first.usage.cached, again.usage.cached) == (False, True)
        assert outcomes() == Counter(miss=1, hit=1)
        client.translate(TEXT, beam_size=2)
        client.translate(TEXT + " Yes.", beam_size=3)
        assert outcomes() == Counter(miss=3, hit=1)
        client.translate(TEXT, beam_size=3, scores=True, tokens=True)  # forgotten for two later ones
        assert outcomes() == Counter(miss=4, hit=1)
        pieces = client.translate(TEXT, tokens=True).source_tokens
        assert str(client.translate(Tokens(pieces))) == str(client.translate(TEXT))
        assert outcomes() == Counter(miss=5, hit=3)
    figures = scrape(caching.http)  # an engine has seen those alone that were not known
    assert figures["seq2serve_requests_finished_total{eos}"] == 5
    assert figures["seq2serve_time_per_output_token_seconds_count"] == 5
    assert figures["seq2serve_request_duration_seconds_count"] == 8


def test_those_in_flight_share_one_search(caching: ServerProcess) -> None:
    """Of many alike at once one is searched for, whoever of them gives up."""
    outcomes = Outcomes(caching)
    with Client(caching.address) as client, ThreadPoolExecutor(24) as pool:
        calls = [pool.submit(client.translate, TEXT * 3, beam_size=5) for _ in range(24)]
        assert len({str(call.result()) for call in calls}) == 1
        found = outcomes()
        assert found["miss"] == 1
        assert found["shared"] + found["hit"] == 23


def test_samples_and_streams_are_searched_for_each_time(caching: ServerProcess) -> None:
    """What is drawn, or sent in parts, does not go through the cache."""
    outcomes = Outcomes(caching)
    with Client(caching.address) as client:
        texts = {str(client.translate(TEXT, top_k=50, temperature=2.0)) for _ in range(6)}
        assert len(texts) > 1
        for _ in range(2):
            with client.translate_stream(TEXT) as stream:
                assert "".join(map(str, stream))
        assert not outcomes().total()


def test_without_the_setting_nothing_is_kept(server: ServerProcess, client: Client) -> None:
    """The cache is off by default."""
    outcomes = Outcomes(server)
    assert str(client.translate(TEXT)) == str(client.translate(TEXT))
    assert not outcomes().total()
