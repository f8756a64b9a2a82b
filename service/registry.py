"""The loaded models, and which of them a request means."""

import enum
import logging
from collections.abc import Iterable
from dataclasses import dataclass

from service.aliases import Alias, Aliases
from service.errors import (
    InvalidRequest,
    LanguagePairNotFound,
    ModelMismatch,
    ModelNotReady,
    NotServed,
    VersionNotFound,
    quoted,
)
from service.model import Model
from service.repository import Version
from service.state import EngineState

log = logging.getLogger("service.registry")
LOAD_SECONDS = 1.0  # that loading takes at least
FALLBACK = "en-de"  # of a request that names nothing, where several models and no default are configured


class State(enum.Enum):
    """Say where a version is in its life."""

    LOADING = enum.auto()
    AVAILABLE = enum.auto()
    UNLOADING = enum.auto()
    END = enum.auto()


@dataclass(frozen=True)
class Status:
    """Hold a version's state and why it ended.

    Its golden translations came out (`parity`), or did not, or were not tried; it was `refused` or left otherwise.
    """

    state: State
    message: str = ""
    parity: bool | None = None
    refused: bool = False


@dataclass(frozen=True)
class Shadow:
    """Name a candidate, and the share of the requests to other versions that is mirrored to it."""

    version: int
    share: float


class Registry:
    """Hold the loaded models; only the event loop changes it, once there is one."""

    def __init__(self, default: str = "") -> None:
        """Begin with none; `default` names the model of requests that name nothing."""
        self.models: list[Model] = []
        self.names: list[str] = []  # of all models, sorted
        self.statuses: dict[Version, Status] = {}
        self.shadows: dict[str, Shadow] = {}  # by the names of models
        self._aliases: dict[str, Aliases] = {}
        self._default = default

    def add(self, model: Model) -> None:
        """Let a model answer requests."""
        self._hold([*self.models, model])
        self.statuses[model.name, model.version] = Status(State.AVAILABLE, parity=True)

    def remove(self, model: Model) -> None:
        """Let a model answer no more requests, and forget its aliases and that it is a candidate."""
        self._hold(one for one in self.models if one is not model)
        shadow = self.shadows.get(model.name)
        if shadow and shadow.version == model.version:
            del self.shadows[model.name]
        if model.name in self._aliases:
            self._aliases[model.name].forget(model.version)
        self.statuses[model.name, model.version] = Status(State.UNLOADING, parity=True)

    def _hold(self, models: Iterable[Model]) -> None:
        self.models = sorted(models, key=lambda one: (one.name, one.version))
        self.names = sorted({model.name for model in self.models})

    @property
    def default(self) -> str:
        """Return the name of the model of requests that name nothing; empty: there is none."""
        names = self.names
        only = names[0] if len(names) == 1 else ""
        return self._default or only or (FALLBACK if FALLBACK in names else "")

    def loaded(self, version: Version) -> Model:
        """Return a loaded version.

        Raises:
            VersionNotFound: it is not loaded.
        """
        for model in self.models:
            if (model.name, model.version) == version:
                return model
        name, number = version
        raise VersionNotFound(f"version {number} of {quoted(name)} is not loaded")

    def aliases(self, name: str) -> list[Alias]:
        """List the aliases of a model, by name."""
        return list(self._aliases.get(name, ()))

    def set_alias(self, name: str, alias: Alias) -> None:
        """Let an alias stand for a loaded version.

        Raises:
            VersionNotFound: the version is not loaded.
            InvalidRequest: the alias or its weight is out of range.
        """
        self.loaded((name, alias.version))
        self._aliases.setdefault(name, Aliases()).set(alias)

    def delete_alias(self, name: str, alias: str) -> None:
        """Forget an alias.

        Raises:
            VersionNotFound: there is no such alias.
        """
        self._aliases.get(name, Aliases()).delete(alias)

    def set_shadow(self, name: str, shadow: Shadow) -> None:
        """Mirror requests of a model to a loaded version from now on.

        Raises:
            VersionNotFound: the version is not loaded.
            InvalidRequest: the share is out of range.
        """
        self.loaded((name, shadow.version))
        if not 0 <= shadow.share <= 1:
            raise InvalidRequest.field("share", f"is {shadow.share:g}, must be from 0 to 1")
        self.shadows[name] = shadow

    def describe(self) -> list[str]:
        """Say what is loaded, in which precision and on what, a line for each version."""
        return [f"{m.name}/{m.version}: {m.facts.precision} on {m.device} ({m.facts.provider})" for m in self.models]

    def close(self) -> None:
        """Stop all engines; what they still hold fails with `draining`."""
        for model in self.models:
            model.core.close()

    def observe(self) -> list[EngineState]:
        """Ask all engines for their states; that may take as long as a step."""
        return [model.core.observe() for model in self.models]

    @property
    def healthy(self) -> bool:
        """Tell whether every engine is alive."""
        return not any(model.core.failed for model in self.models)

    def find(
        self, name: str, version: int | None, source_language: str, target_language: str, alias: str = ""
    ) -> Model:
        """Return the model a request means: by name, else by languages, else the default.

        Raises:
            NotServed: no such model, version, alias or language pair; the message lists what there is.
            ModelNotReady: the version is being loaded.
            ModelMismatch: the model does not translate between these languages.
        """
        candidates = self._named(name, version) if name else self._of_languages(source_language, target_language)
        model = self._of_version(candidates, version, alias)
        if not _speaks(model, source_language, target_language):
            pair = f"{model.manifest.source_language} to {model.manifest.target_language}"
            asked = _pair(source_language, target_language)
            raise ModelMismatch(f"model {model.name!r} translates {pair}, the request says {asked}")
        return model

    def _of_version(self, candidates: list[Model], version: int | None, alias: str) -> Model:
        """Choose among the versions of one model."""
        name, newest = candidates[0].name, max(model.version for model in candidates)
        aliases = self._aliases.get(name)
        if alias:
            try:
                version = (aliases or Aliases()).version(alias)
            except VersionNotFound as error:
                raise VersionNotFound(f"model {name!r} has {error.message}") from None
        elif version is None:
            version = aliases.choose(newest) if aliases else newest
        matching = [model for model in candidates if model.version == version]
        if not matching:
            self._refuse_unready(name, version)
            served = ", ".join(str(model.version) for model in candidates)
            raise VersionNotFound(f"model {name!r} has no version {version}; served: {served}")
        return matching[0]

    def _refuse_unready(self, name: str, version: int | None) -> None:
        for (other, number), status in self.statuses.items():
            if other == name and version in (None, number) and status.state is State.LOADING:
                why = f"version {number} of model {name!r} is being loaded: try again soon"
                raise ModelNotReady(why, retry_after=LOAD_SECONDS)

    def usual(self, name: str) -> Model:
        """Return the version of a model that answers where none is named and no alias has drawn the request.

        Raises:
            NotServed: there is no such model.
        """
        candidates = self._named(name)
        newest = max(model.version for model in candidates)
        version = self._aliases.get(name, Aliases()).usual(newest)
        return next(model for model in candidates if model.version == version)

    def speaking(self, source_language: str, target_language: str) -> list[Model]:
        """List the models that translate between two languages; an empty one means any."""
        return [model for model in self.models if _speaks(model, source_language, target_language)]

    def _named(self, name: str, version: int | None = None) -> list[Model]:
        found = [model for model in self.models if model.name == name]
        if not found:
            self._refuse_unready(name, version)
            raise NotServed(f"model {quoted(name)} is not served; served: {', '.join(self.names)}")
        return found

    def _of_languages(self, source: str, target: str) -> list[Model]:
        if not source and not target:
            if not self.default:
                raise NotServed(f"name a model or a language pair; served: {', '.join(self.names)}")
            return self._named(self.default)
        speaking = self.speaking(source, target)
        if not speaking:
            pairs = sorted({f"{m.manifest.source_language}-{m.manifest.target_language}" for m in self.models})
            asked = _pair(source, target)
            raise LanguagePairNotFound(f"no model translates {asked}; served: {', '.join(pairs)}")
        preferred = [model for model in speaking if model.name == self.default]
        return preferred or [model for model in speaking if model.name == min(m.name for m in speaking)]


def _pair(source: str, target: str) -> str:
    return " to ".join(quoted(language) if language else "any" for language in (source, target))


def _speaks(model: Model, source: str, target: str) -> bool:
    """Compare BCP-47 tags: de-AT asks for what a model of de offers."""
    return all(
        not asked or offered.lower() == asked.lower() or asked.lower().startswith(offered.lower() + "-")
        for asked, offered in (
            (source, model.manifest.source_language),
            (target, model.manifest.target_language),
        )
    )
