"""What is measured side by side is chosen by name, and what is missing is said."""

import pytest

from benchmarks.systems import OURS, chosen, parser, served


def test_a_missing_system_is_named_where_it_was_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    """What nobody asked for is left out in silence."""
    arguments = parser(None).parse_args(["file", "--only", "dynamic"])

    assert chosen(arguments, "dynamic batching")
    assert not chosen(arguments, "Triton", "there is none")
    assert capsys.readouterr().err == ""
    assert not chosen(arguments, "dynamic batching", "there is none")
    assert capsys.readouterr().err == "skipped: dynamic batching: there is none\n"


def test_ours_is_measured_first() -> None:
    """It tells the others how long translations are; those that were not chosen are not listed."""
    everything = served(parser(None).parse_args(["file"]), {})
    some = served(parser(None).parse_args(["file", "--only", "one request"]), {})

    assert everything[0].name == OURS
    assert [peer.name for peer in some] == ["Python server, one request at a time"]
