"""Settings of the server, from flags, SEQ2SERVE_* variables, a TOML file and defaults, in this order."""

import argparse
import os
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    CliSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from service.aliases import read_aliases
from service.errors import StartupError

PREFIX = "SEQ2SERVE_"
OF_THE_CLIENT = {"SEQ2SERVE_ADDRESS", "SEQ2SERVE_TOKEN"}
MAX_SECONDS = 2_000_000.0  # gRPC counts milliseconds in 32 bits


def _address(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if not (host and colon and port.isdecimal() and int(port) < 65536):
        raise ValueError(f"{value!r} is not HOST:PORT")
    return value


def _url(value: str) -> str:
    if value and not re.fullmatch(r"https?://[^/]+(/.*)?", value):
        raise ValueError(f"{value!r} is not http://HOST:PORT or https://HOST:PORT")
    return value


def _aliases(value: str) -> str:
    read_aliases(value)
    return value


Address = Annotated[str, AfterValidator(_address)]


class Settings(BaseSettings):
    """Hold validated settings; the descriptions are the help texts."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix=PREFIX, protected_namespaces=())

    config: Path | None = Field(None, description="TOML file with settings, named like the flags with underscores")
    model_repository: Path = Field(Path("model_repository"), description="folder of NAME/VERSION bundles")
    serve_versions: str = Field("all", description="all, how many of the highest of each model, or NAME/VERSION,...")
    aliases: Annotated[str, AfterValidator(_aliases)] = Field(
        "", description="NAME:ALIAS=VERSION[@WEIGHT],...: aliases to begin with; stable answers what no weight takes"
    )
    poll_seconds: float = Field(0, ge=0, description="how often to look for other versions to serve; 0: never")
    default_model: str = Field("", description="model of requests that name neither a model nor languages")
    grpc_address: Address = Field("127.0.0.1:50051", description="HOST:PORT for gRPC; port 0 takes any free one")
    admin_address: Address | Literal[""] = Field("", description="HOST:PORT for AdminService; empty: not served")
    http_address: Address = Field("127.0.0.1:8080", description="HOST:PORT for /metrics, /healthz and /readyz")
    agent_address: Address | Literal[""] = Field("", description="HOST:PORT for HAProxy's agent check; empty: none")
    agent_step_seconds: float = Field(
        0.02, gt=0, description="longest decoder step at which the agent asks for all its calls; at twice that for half"
    )
    workers: int = Field(
        1, ge=1, le=256, description="servers to run as one program, each with the next port of every address"
    )
    device: str = Field(
        "auto", pattern=r"^(auto|cpu|cuda(:\d{1,3})?)$", description="auto, cpu, cuda or cuda:N; cuda never falls back"
    )
    gpu_memory_limit: int = Field(
        0, ge=0, le=1 << 30, description="MiB of a GPU's memory that each model may take; 0: no limit"
    )
    precision: Literal["auto", "fp32", "fp16", "int8"] = Field(
        "auto", description="auto: int8 on a CPU, fp16 on a GPU, where a model has it"
    )
    threads: int = Field(0, ge=0, le=1024, description="ONNX Runtime threads of a worker; 0: its part of the cores")
    slots: int = Field(
        0,
        ge=0,
        le=4096,
        description="hypotheses decoded at a time, for each model; 0: 48 on a CPU, 512 on a GPU",
    )
    queue_limit: int = Field(1024, ge=1, description="requests that may wait for a slot, for each model")
    queue_tokens: int = Field(65_536, ge=1, description="source pieces that may wait for a slot, for each model")
    default_deadline: float = Field(30.0, gt=0, description="seconds for a text of a call without a deadline")
    client_tokens_per_second: float = Field(
        0, ge=0, description="source pieces a second for each seq2serve-client; 0: no limit"
    )
    cache_entries: int = Field(0, ge=0, description="answers to keep, for requests that come again; 0: none")
    max_beam_size: int = Field(12, ge=1, description="largest beam_size and num_hypotheses that a request may ask for")
    max_text_bytes: int = Field(65_536, ge=1, lt=1 << 31, description="longest text of a request, in bytes of UTF-8")
    max_batch_items: int = Field(1024, ge=1, lt=1 << 31, description="most items of a TranslateBatch")
    max_glossary_terms: int = Field(1000, ge=0, lt=1 << 31, description="most glossary terms of a request")
    kserve: bool = Field(True, description="answer the Open Inference Protocol of KServe and Triton")
    max_message_bytes: int = Field(4 << 20, ge=1024, lt=1 << 31, description="largest message that a client may send")
    max_connections: int = Field(1000, ge=1, lt=1 << 31, description="open connections; one more is closed at once")
    max_concurrent_streams: int = Field(
        10_000, ge=1, lt=1 << 31, description="calls that may run on one connection; more wait in the client"
    )
    max_connection_age: float = Field(
        300.0, gt=0, le=MAX_SECONDS, description="seconds until a client must connect anew, and finds new replicas"
    )
    max_connection_age_grace: float = Field(
        3600.0, ge=0, le=MAX_SECONDS, description="seconds that calls of an aged connection then have to finish"
    )
    keepalive_time: float = Field(
        60.0, ge=0.1, le=MAX_SECONDS, description="seconds of silence until the server pings a client"
    )
    keepalive_timeout: float = Field(
        20.0, ge=0.1, le=MAX_SECONDS, description="seconds to wait for the answer to a ping"
    )
    min_client_ping_interval: float = Field(
        10.0,
        ge=0,
        le=MAX_SECONDS,
        description="seconds between pings of a client; who pings more often is disconnected",
    )
    tls_certificate: Path | None = Field(None, description="certificate chain of the gRPC port, in PEM; turns TLS on")
    tls_key: Path | None = Field(None, description="key of the certificate, in PEM, without a password")
    tls_client_ca: Path | None = Field(None, description="authorities of client certificates, in PEM; turns mTLS on")
    token_file: Path | None = Field(None, description="who may call: lines that `python -m service token` makes")
    metrics: bool = Field(True, description="measure, and answer /metrics")
    otlp_endpoint: Annotated[str, AfterValidator(_url)] = Field(
        "", description="URL of an OpenTelemetry collector (OTLP over gRPC); empty: no traces"
    )
    trace_ratio: float = Field(1.0, ge=0, le=1, description="share of calls that begin a trace; who brings one decides")
    reflection: bool = Field(True, description="answer gRPC reflection")
    drain_delay: float = Field(4.0, ge=0, description="seconds to go on serving after SIGTERM, once not ready")
    drain_grace: float = Field(30.0, ge=0, description="seconds that requests in flight then have to finish")
    log_format: Literal["auto", "console", "json"] = Field("auto", description="auto: console on a terminal, else json")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least severe level to log")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put flags (given as init values) before the environment, and that before the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def read_settings(arguments: list[str]) -> Settings:
    """Read the settings of this process.

    Raises:
        StartupError: a value is out of range or unknown; names the flag, the value and what is allowed.
        SystemExit: --help was asked for, or the flags cannot be parsed.
    """
    flags = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    flags.add_argument("--config", default=os.environ.get(f"{PREFIX}CONFIG"))
    file = flags.parse_known_args([a for a in arguments if a not in ("-h", "--help")])[0].config
    if file is not None and not Path(file).is_file():
        raise StartupError(f"--config {file}: there is no such file")

    class WithFile(Settings):
        """Serve seq2seq models over gRPC; also `python -m service token`, `compose` and `doctor`, each with --help."""

        model_config = SettingsConfigDict(toml_file=file)

    cli = CliSettingsSource[argparse.ArgumentParser](
        WithFile,
        cli_prog_name="python -m service",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
        cli_parse_args=arguments,
    )
    try:
        settings = WithFile(_cli_settings_source=cli)  # type: ignore[call-arg]  # known without the mypy plugin to nobody
    except ValidationError as error:
        faults = [f"--{str(e['loc'][0]).replace('_', '-')} {e['input']!r}: {e['msg']}" for e in error.errors()]
        raise StartupError("; ".join(faults)) from error
    except ValueError as error:  # the file is not TOML
        raise StartupError(f"--config {file}: {error}") from error
    _refuse_unknown_variables()
    return settings


def _refuse_unknown_variables() -> None:
    """A misspelt variable would be ignored in silence otherwise."""
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields} | OF_THE_CLIENT
    unknown = sorted(name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known)
    if unknown:
        raise StartupError(f"unknown settings {', '.join(unknown)}; python -m service --help lists them")
