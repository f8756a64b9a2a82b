"""The model repository: every version in it, loaded; and which of them a request means."""

import logging
from collections.abc import Callable
from pathlib import Path

from service.bundle import Bundle, read_bundle
from service.errors import LanguagePairNotFound, ModelMismatch, NotServed, StartupError, VersionNotFound, quoted
from service.model import EngineLimits, Model
from service.request import Request
from service.session import Device

log = logging.getLogger("service.registry")
FALLBACK = "en-de"  # of a request that names nothing, where several models and no default are configured


class Registry:
    """Hold the loaded models."""

    def __init__(self, models: list[Model], default: str = "") -> None:
        """Take loaded models; `default` names the one of requests that name nothing.

        Raises:
            StartupError: the default is not among them.
        """
        self.models = models
        self.names = sorted({model.name for model in models})
        if default and default not in self.names:
            raise StartupError(f"--default-model {default}: not in the model repository ({', '.join(self.names)})")
        only = self.names[0] if len(self.names) == 1 else ""
        self.default = default or only or (FALLBACK if FALLBACK in self.names else "")

    def close(self) -> None:
        """Stop all engines; what they still hold fails with `draining`."""
        for model in self.models:
            model.engine.close()

    @property
    def healthy(self) -> bool:
        """Tell whether every engine is alive."""
        return not any(model.engine.failed for model in self.models)

    def find(self, name: str, version: int | None, source_language: str, target_language: str) -> Model:
        """Return the model a request means: by name, else by languages, else the default.

        Raises:
            NotServed: no such model, version or language pair; the message lists what there is.
            ModelMismatch: the model does not translate between these languages.
        """
        candidates = self._named(name) if name else self._of_languages(source_language, target_language)
        if version is not None:
            matching = [model for model in candidates if model.version == version]
            if not matching:
                served = ", ".join(str(model.version) for model in candidates)
                raise VersionNotFound(f"model {candidates[0].name!r} has no version {version}; served: {served}")
            candidates = matching
        model = max(candidates, key=lambda candidate: candidate.version)
        if not _speaks(model, source_language, target_language):
            pair = f"{model.manifest.source_language} to {model.manifest.target_language}"
            asked = _pair(source_language, target_language)
            raise ModelMismatch(f"model {model.name!r} translates {pair}, the request says {asked}")
        return model

    def speaking(self, source_language: str, target_language: str) -> list[Model]:
        """List the models that translate between two languages; an empty one means any."""
        return [model for model in self.models if _speaks(model, source_language, target_language)]

    def _named(self, name: str) -> list[Model]:
        found = [model for model in self.models if model.name == name]
        if not found:
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


def load_repository(
    path: Path,
    device: Device,
    threads: int,
    limits: EngineLimits,
    emit: Callable[[list[Request]], None],
    precision: str = "auto",
) -> list[Model]:
    """Load every NAME/VERSION below `path`.

    Raises:
        StartupError: there is none, or one of them must not be served.
    """
    bundles = read_repository(path)
    models: list[Model] = []
    try:
        for bundle in bundles:
            models.append(Model(bundle, device, threads, limits, emit, precision))
    except BaseException:
        for model in models:
            model.engine.close()
        raise
    return models


def read_repository(path: Path) -> list[Bundle]:
    """Read and verify all bundles; hidden folders are unfinished exports and do not count."""
    if not path.is_dir():
        raise StartupError(f"--model-repository {path}: there is no such folder")
    bundles = []
    for folder in sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith(".")):
        versions = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
        if not versions:
            raise StartupError(f"{folder}: holds no version (a folder named 1, 2, ...)")
        for version in versions:
            bundle = read_bundle(version)
            if bundle.manifest.name != folder.name:
                raise StartupError(
                    f"{version}: its manifest names the model {bundle.manifest.name!r}, not {folder.name!r}"
                )
            bundles.append(bundle)
    if not bundles:
        raise StartupError(f"--model-repository {path}: holds no model; make one with python -m export RUN {path}/NAME")
    return bundles
