"""Versions come into service and leave it, one at a time, without losing a call."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from service.bundle import Bundle
from service.errors import ModelRefused, ParityError, StartupError, quoted
from service.memory import LOADED, available_bytes
from service.model import Model
from service.registry import Registry, State, Status
from service.repository import Repository, Version

log = logging.getLogger("service.lifecycle")
LOOK_SECONDS = 0.02  # between looks at whether a version that leaves is still in use


class Lifecycle:
    """Load and unload versions of a repository while a server runs."""

    def __init__(self, repository: Repository, registry: Registry, make: Callable[[Bundle], Model]) -> None:
        """Take what makes a model of a bundle, in a thread: it verifies, warms up and replays golden translations."""
        self._repository, self._registry, self._make = repository, registry, make
        self._turn = asyncio.Lock()  # memory and cores are for one at a time
        self._tasks: set[asyncio.Task[Status]] = set()
        self._refused: dict[Version, object] = {}  # the stamp of each version that was refused last

    async def start(self) -> None:
        """Load all versions that are wanted, before anything is served.

        Raises:
            StartupError: one of them must not be served, or there is none.
        """
        bundles = [self._repository.read(version) for version in self._repository.wanted()]
        loading = (asyncio.to_thread(self._make, bundle) for bundle in bundles)  # side by side: each in its own process
        loaded = await asyncio.gather(*loading, return_exceptions=True)
        for model in loaded:
            if not isinstance(model, BaseException):
                self._registry.add(model)  # that it is closed, whatever becomes of the others
        for error in loaded:
            if isinstance(error, BaseException):
                raise error

    async def load(self, version: Version) -> Status:
        """Bring a version into service; one that is there already stays as it is.

        Raises:
            VersionNotFound: the repository has no such version.
            ModelRefused: it must not be served; what was served goes on.
        """
        return await self._finish(self._load(version))

    async def unload(self, version: Version) -> Status:
        """Take a version out of service: it finishes what it has, and is let go.

        Raises:
            VersionNotFound: it is not loaded.
        """
        return await self._finish(self._unload(version))

    async def _finish(self, change: Coroutine[Any, Any, Status]) -> Status:
        """Make a change whole, even where who asked for it hangs up meanwhile."""
        task = asyncio.create_task(change)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return await asyncio.shield(task)

    def _forget(self, task: "asyncio.Task[Status]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # is in the status and the log, also where nobody waits for it any more

    async def _load(self, version: Version) -> Status:
        async with self._turn:
            if self._status(version) is not State.AVAILABLE:
                stamp = await asyncio.to_thread(self._repository.stamp, version)
                try:
                    bundle = await asyncio.to_thread(self._read, version)
                except StartupError as error:
                    raise self._refuse(version, stamp, error) from error
                self._registry.statuses[version] = Status(State.LOADING)
                try:
                    self._registry.add(await asyncio.to_thread(self._make, bundle))
                except Exception as error:
                    log.exception("version %d of %s is refused", version[1], version[0])
                    raise self._refuse(version, stamp, error) from error
            return self._registry.statuses[version]

    async def _unload(self, version: Version) -> Status:
        async with self._turn:
            model = self._registry.loaded(version)
            self._registry.remove(model)
            log.info("unloading version %d of %s", version[1], version[0])
            while model.readers or model.users or model.core.busy:  # noqa: ASYNC110, an event would cost each request
                await asyncio.sleep(LOOK_SECONDS)
            await asyncio.to_thread(model.core.close)
            self._registry.statuses[version] = Status(State.END, "unloaded")
            return self._registry.statuses[version]

    async def follow(self, seconds: float) -> None:
        """Look every so many seconds which versions are wanted, and serve these; never returns.

        What is wanted no more is unloaded once all that is wanted of its name is served. A version that was refused is
        tried again when it is put there anew, or any of its files is another.
        """
        while True:
            await asyncio.sleep(seconds)
            try:
                await self._follow(await asyncio.to_thread(self._repository.wanted))
            except StartupError as error:
                log.error("the model repository is left as it was: %s", error)
            except Exception:  # a version may be taken away between two looks
                log.exception("following the model repository failed; it is tried again in %g s", seconds)

    async def _follow(self, wanted: list[Version]) -> None:
        for version, status in list(self._registry.statuses.items()):
            if version not in wanted and status.state is State.END:
                del self._registry.statuses[version]
        for version in wanted:
            last = self._registry.statuses.get(version)
            if last is None or (last.refused and await self._is_another(version)):
                try:
                    await self.load(version)
                except ModelRefused as error:
                    log.error("%s", error)
        served = {(model.name, model.version) for model in self._registry.models}
        missing = {name for name, number in wanted if (name, number) not in served}
        for name, number in sorted(served - set(wanted)):
            if name not in missing:
                await self.unload((name, number))

    async def _is_another(self, version: Version) -> bool:
        """Tell whether a version is not what was refused last."""
        return await asyncio.to_thread(self._repository.stamp, version) != self._refused.get(version)

    def newest(self, name: str) -> int:
        """Return the highest version of a model in the repository; 0: there is none.

        Raises:
            ModelRefused: a folder of the model is no version.
        """
        try:
            return max(self._repository.versions(name), default=0)
        except StartupError as error:
            raise ModelRefused(f"which version of {quoted(name)} is the newest cannot be told: {error}") from error

    def _read(self, version: Version) -> Bundle:
        bundle = self._repository.read(version)
        need = LOADED * sum(file.bytes for file in bundle.manifest.files.values())
        left = available_bytes()
        if left is not None and need > left:
            why = f"it takes about {need >> 20} MiB of memory, and {left >> 20} MiB are left"
            raise StartupError(f"{why}; unload another first")
        return bundle

    def _status(self, version: Version) -> State | None:
        status = self._registry.statuses.get(version)
        return status.state if status else None

    def _refuse(self, version: Version, stamp: object, error: Exception) -> ModelRefused:
        """Note why a version is not served, and what it is; returns what says so to whoever asked for it."""
        self._refused[version] = stamp
        parity = False if isinstance(error, ParityError) else None
        self._registry.statuses[version] = Status(State.END, str(error), parity, refused=True)
        return ModelRefused(f"version {version[1]} of {version[0]!r} is not served: {error}")
