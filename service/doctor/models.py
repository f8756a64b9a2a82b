"""Whether every version that is to be served is whole, fits into memory, and translates as it was exported."""

from collections.abc import Iterator

from seq2serve.doctor.finding import Finding, Level
from service.bundle import Bundle
from service.core.interface import Facts
from service.core.local import LocalCore
from service.cpu import available_cpus
from service.errors import ParityError, ServiceError, StartupError
from service.limits import EngineLimits
from service.memory import LOADED, available_bytes
from service.provider import Device, choose_device
from service.repository import Repository
from service.settings import Settings
from service.setup import Setup

AGAIN = "copy it again from where it was exported, or export it again (python -m export)"
ARITHMETIC = "export it again with this ONNX Runtime, or serve another precision (--precision fp32)"


def check_models(settings: Settings) -> Iterator[Finding]:
    """Read, load and try every version as the server would, one after the other."""
    repository = Repository(settings.model_repository, settings.serve_versions, settings.aliases)
    try:
        wanted = repository.wanted()
        names = {name for name, _ in wanted}
        if settings.default_model and settings.default_model not in names:
            raise StartupError(f"--default-model {settings.default_model}: not among {', '.join(sorted(names))}")
    except StartupError as error:
        remedy = "mend the setting, or put the bundle there as NAME/VERSION"
        yield Finding(Level.FAULT, "model repository", str(error), remedy)
        return
    try:
        device = choose_device(settings.device)
    except StartupError as error:
        yield Finding(Level.FAULT, "provider", str(error), "see above for what is missing")
        return
    left, need = available_bytes(), 0
    for version in wanted:
        subject = f"{version[0]}/{version[1]}"
        try:
            bundle = repository.read(version)
        except (StartupError, ServiceError) as error:
            yield Finding(Level.FAULT, subject, str(error), AGAIN)
            continue
        own = LOADED * sum(file.bytes for file in bundle.manifest.files.values()) * settings.workers
        need += own  # a server holds all at once
        if left is not None and need > left:
            found = f"takes about {own >> 20} MiB of memory, {need >> 20} with those before; {left >> 20} MiB are left"
            found += f" ({settings.workers} workers)" if settings.workers > 1 else ""
            fix = "give the container more memory, serve fewer versions, or run fewer workers"
            yield Finding(Level.FAULT, subject, found, fix)
            continue
        yield _check(bundle, subject, device, settings)


def _check(bundle: Bundle, subject: str, device: Device, settings: Settings) -> Finding:
    try:
        return _try(bundle, subject, device, settings)
    except ParityError as error:
        return Finding(Level.FAULT, subject, str(error), ARITHMETIC)
    except StartupError as error:
        return Finding(Level.FAULT, subject, str(error), AGAIN)


def _try(bundle: Bundle, subject: str, device: Device, settings: Settings) -> Finding:
    """Load a version: that replays its golden translations on the provider in use."""
    limits = EngineLimits.of(settings, device)
    threads = settings.threads or available_cpus()
    setup = Setup(bundle, device, threads, limits, settings.precision, measured=False)
    core = LocalCore(setup, lambda requests: None)
    core.close()
    return report(bundle, subject, core.facts)


def report(bundle: Bundle, subject: str, facts: Facts) -> Finding:
    """Say what became of a version that was loaded."""
    found = (
        f"{len(bundle.manifest.files)} files have their digests, golden translations come out on {facts.provider} "
        f"in {facts.precision}, loaded in {facts.load_seconds:.1f} s"
    )
    if facts.device is None:
        return Finding(Level.OK, subject, found)
    found = f"{found}; {facts.cpu_nodes} nodes run on the CPU"
    if facts.device.memcpy_nodes == 0:
        return Finding(Level.OK, subject, f"{found}, for arithmetic of shapes; no step copies anything for that")
    fix = "export it again: steps that were not captured are launched one operator at a time, and may copy in between"
    return Finding(Level.NOTE, subject, found, fix)
