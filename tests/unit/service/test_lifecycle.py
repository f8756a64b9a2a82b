"""Versions come and go whole, whoever asked for it."""

import asyncio
import logging
import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest

from service.errors import ModelRefused, StartupError, VersionNotFound
from service.lifecycle import Lifecycle
from service.model import Model
from service.registry import Registry, State
from service.repository import Repository, Version

ONE, TWO = ("en-de", 1), ("en-de", 2)


class Versions:
    """Stand for a repository of some versions, and for what makes models of them, which waits until it may."""

    def __init__(self, *there: Version) -> None:
        self.there, self.may, self.closed = list(there), threading.Event(), list[Version]()
        self.broken: set[Version] = set()
        self.stamps: dict[Version, int] = {}
        self.read_so_far: list[Version] = []
        self.looks = 0
        self.may.set()

    def wanted(self) -> list[Version]:
        """List all."""
        self.looks += 1
        return list(self.there)

    def read(self, version: Version) -> Any:
        """Read one."""
        self.read_so_far.append(version)
        if version not in self.there:
            raise VersionNotFound(f"no version {version[1]}")
        if version in self.broken:
            raise StartupError("its manifest is not JSON")
        return SimpleNamespace(version=version, manifest=SimpleNamespace(files={}))

    def stamp(self, version: Version) -> int:
        """Tell which one of a number it is."""
        return self.stamps.get(version, 0)

    def versions(self, name: str) -> list[int]:
        """List those of a model."""
        if name == "odd":
            raise StartupError("odd/backup: a version is a folder named 1, 2, ...")
        return [number for other, number in self.there if other == name]

    def make(self, bundle: Any) -> Model:
        """Make a model of one."""
        assert self.may.wait(20)
        name, version = bundle.version
        core = SimpleNamespace(busy=False, close=lambda: self.closed.append(bundle.version))
        return cast(Model, SimpleNamespace(name=name, version=version, core=core, readers=0, users=set()))


def made(versions: Versions) -> tuple[Lifecycle, Registry]:
    registry = Registry()
    return Lifecycle(cast(Repository, versions), registry, versions.make), registry


async def until(true: Any) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.005)


def test_a_load_is_finished_where_nobody_waits_for_it() -> None:
    """The caller hangs up while the model is made: it serves all the same, and takes up nobody's turn."""

    async def run() -> None:
        versions = Versions(ONE, TWO)
        lifecycle, registry = made(versions)
        versions.may.clear()
        asking = asyncio.create_task(lifecycle.load(ONE))
        await until(lambda: ONE in registry.statuses)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        following = asyncio.create_task(lifecycle.load(TWO))
        await asyncio.sleep(0.02)
        assert TWO not in registry.statuses  # one at a time
        versions.may.set()
        await following
        assert [(model.name, model.version) for model in registry.models] == [ONE, TWO]
        assert registry.statuses[ONE].state is State.AVAILABLE

    asyncio.run(run())


def test_an_unload_is_finished_where_nobody_waits_for_it() -> None:
    """The caller hangs up while the model finishes what it has: it is closed all the same."""

    async def run() -> None:
        versions = Versions(ONE)
        lifecycle, registry = made(versions)
        await lifecycle.load(ONE)
        model = registry.models[0]
        model.readers = 1
        asking = asyncio.create_task(lifecycle.unload(ONE))
        await until(lambda: registry.statuses[ONE].state is State.UNLOADING)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert versions.closed == []
        model.readers = 0
        await until(lambda: registry.statuses[ONE].state is State.END)
        assert versions.closed == [ONE]

    asyncio.run(run())


def test_a_version_that_must_not_be_served_is_refused_with_its_reason() -> None:
    """The status says why, and what asked hears of it; another load is tried afresh."""

    async def run() -> None:
        versions = Versions(ONE)
        versions.broken = {ONE}
        lifecycle, registry = made(versions)
        with pytest.raises(ModelRefused, match=r"version 1 of 'en-de' is not served: its manifest is not JSON"):
            await lifecycle.load(ONE)
        assert (registry.statuses[ONE].message, registry.statuses[ONE].refused) == ("its manifest is not JSON", True)
        versions.broken.clear()
        await lifecycle.load(ONE)
        assert registry.statuses[ONE].state is State.AVAILABLE

    asyncio.run(run())


def test_following_goes_on_after_a_version_was_taken_away(caplog: pytest.LogCaptureFixture) -> None:
    """One that is gone when its turn comes is an error in the log, and the next look finds what is there then."""

    async def run() -> None:
        versions = Versions(ONE)
        lifecycle, registry = made(versions)
        versions.wanted = lambda: [TWO, *versions.there]  # type: ignore[method-assign]
        following = asyncio.create_task(lifecycle.follow(0.01))
        await until(lambda: any("following the model repository failed" in line for line in caplog.messages))
        versions.there.append(TWO)
        await until(lambda: len(registry.models) == 2)
        assert not following.done()
        following.cancel()

    with caplog.at_level(logging.ERROR):
        asyncio.run(run())


def test_following_tries_a_refused_version_again_once_it_is_another() -> None:
    """However short the moment was in which it was not there; and not before."""

    async def run() -> None:
        versions = Versions(ONE)
        versions.broken = {ONE}
        lifecycle, registry = made(versions)
        following = asyncio.create_task(lifecycle.follow(0.001))
        await until(lambda: versions.looks > 20)
        assert versions.read_so_far == [ONE]
        versions.broken.clear()
        versions.stamps[ONE] = 1
        await until(lambda: registry.models)
        following.cancel()

    asyncio.run(run())


def test_the_newest_version() -> None:
    """It is the highest, or none, or cannot be told."""
    lifecycle, _ = made(Versions(ONE, TWO))
    assert (lifecycle.newest("en-de"), lifecycle.newest("xx")) == (2, 0)
    with pytest.raises(ModelRefused, match="newest cannot be told: odd/backup: a version is"):
        lifecycle.newest("odd")
