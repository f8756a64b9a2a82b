"""Aliases share out the requests that name no version."""

import re

import pytest

from service.aliases import Alias, Aliases, read_aliases
from service.errors import InvalidRequest, VersionNotFound


def chosen(aliases: Aliases, drawn: list[float], newest: int = 9) -> list[int]:
    """Choose a version for each number drawn."""
    aliases._draw = iter(drawn).__next__
    return [aliases.choose(newest) for _ in drawn]


def test_without_aliases_the_newest_answers() -> None:
    """Nobody is sent anywhere else."""
    assert chosen(Aliases(), [0.0, 0.99]) == [9, 9]


def test_weights_share_out_requests_and_stable_takes_the_rest() -> None:
    """Each alias gets its share; what none takes goes to stable, or to the newest where there is no stable."""
    aliases = Aliases()
    aliases.set(Alias("canary", 3, 0.1))
    assert chosen(aliases, [0.05, 0.1, 0.9]) == [3, 9, 9]
    aliases.set(Alias("stable", 2))
    assert chosen(aliases, [0.05, 0.1, 0.9]) == [3, 2, 2]
    aliases.set(Alias("other", 1, 0.5))
    assert chosen(aliases, [0.05, 0.1, 0.59, 0.61]) == [3, 1, 1, 2]


def test_aliases_move_and_go() -> None:
    """An alias stands for one version at a time; those of a version go with it."""
    aliases = Aliases()
    aliases.set(Alias("stable", 1, 1.0))
    aliases.set(Alias("stable", 2, 1.0))
    assert aliases.version("stable") == 2
    aliases.forget(1)
    assert [alias.name for alias in aliases] == ["stable"]
    aliases.forget(2)
    with pytest.raises(VersionNotFound, match="no alias 'stable'; there are: none"):
        aliases.version("stable")
    with pytest.raises(VersionNotFound):
        aliases.delete("stable")


@pytest.mark.parametrize(
    ("alias", "field"),
    [
        (Alias("", 1), "alias.alias"),
        (Alias("a b", 1), "alias.alias"),
        (Alias("x" * 65, 1), "alias.alias"),
        (Alias("canary", 1, -0.1), "alias.weight"),
        (Alias("canary", 1, 0.51), "alias.weight"),
        (Alias("canary", 1, float("nan")), "alias.weight"),
    ],
)
def test_bad_aliases_are_refused_by_field(alias: Alias, field: str) -> None:
    """Names have a bound, and all weights together are 1 at most."""
    aliases = Aliases()
    aliases.set(Alias("stable", 1, 0.5))
    with pytest.raises(InvalidRequest) as refused:
        aliases.set(alias)
    assert [violation.field for violation in refused.value.violations] == [field]
    assert [kept.name for kept in aliases] == ["stable"]


def test_aliases_are_read_from_a_setting() -> None:
    """Of several models, with weights and without, in the order given."""
    assert read_aliases("") == []
    assert read_aliases("en-de:stable=1, en-de:canary=12@0.25,en-fr:stable=3@.5") == [
        ("en-de", Alias("stable", 1)),
        ("en-de", Alias("canary", 12, 0.25)),
        ("en-fr", Alias("stable", 3, 0.5)),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("stable=1", "'stable=1' is not NAME:ALIAS=VERSION"),
        ("en-de:stable", "'en-de:stable' is not NAME:ALIAS=VERSION"),
        ("en-de:stable=0", "'en-de:stable=0' is not NAME:ALIAS=VERSION"),
        ("en-de:stable=1@", "'en-de:stable=1@' is not NAME:ALIAS=VERSION"),
        ("en-de:stable=1@-1", "'en-de:stable=1@-1' is not NAME:ALIAS=VERSION"),
        ("en-de:stable=1,en-de:stable=2", "en-de:stable is named twice"),
        ("en-de:a b=1", "'en-de:a b=1': alias.alias: is 'a b', must be 1 to 64 letters"),
        ("en-de:a=1@0.7,en-de:b=2@0.4", "'en-de:b=2@0.4': alias.weight: is 0.4, must be from 0 to 0.3"),
    ],
)
def test_a_setting_that_is_none_is_refused(text: str, why: str) -> None:
    """The error names the entry."""
    with pytest.raises(ValueError, match=re.escape(why)):
        read_aliases(text)
