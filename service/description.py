"""What a loaded model says of itself."""

from google.protobuf.timestamp_pb2 import Timestamp

from seq2serve.v1 import model_pb2, options_pb2
from service.aliases import Alias
from service.bundle import FORMAT_VERSION
from service.core.interface import REPLAYED
from service.limits import EdgeLimits
from service.model import Model
from service.options import LENGTH_PENALTY
from service.registry import Registry, State, Status
from service.replies import LEAST_WEIGHT, duration
from service.search_options import LENGTH_OFFSET, LENGTH_RATIO

STATES = {
    State.LOADING: model_pb2.MODEL_STATE_LOADING,
    State.AVAILABLE: model_pb2.MODEL_STATE_AVAILABLE,
    State.UNLOADING: model_pb2.MODEL_STATE_UNLOADING,
    State.END: model_pb2.MODEL_STATE_END,
}


def version_status(version: int, status: Status) -> model_pb2.VersionStatus:
    """Say where a version is in its life."""
    return model_pb2.VersionStatus(version=version, state=STATES[status.state], message=status.message)


def model_alias(alias: Alias) -> model_pb2.ModelAlias:
    """Describe an alias."""
    return model_pb2.ModelAlias(alias=alias.name, version=alias.version, weight=alias.weight or None)


def describe(model: Model, registry: Registry, limits: EdgeLimits) -> model_pb2.Model:
    """Describe a loaded model, with the other versions of the same name."""
    manifest = model.manifest
    return model_pb2.Model(
        name=model.name,
        version=model.version,
        state=model_pb2.MODEL_STATE_AVAILABLE,
        versions=[
            version_status(number, status)
            for (name, number), status in sorted(registry.statuses.items(), reverse=True)
            if name == model.name
        ],
        aliases=[model_alias(alias) for alias in registry.aliases(model.name)],
        is_default=model.name == registry.default,
        languages=[model_pb2.LanguagePair(source=manifest.source_language, target=manifest.target_language)],
        description=manifest.description,
        architecture=manifest.architecture.summary or manifest.architecture.cell,
        attention=manifest.architecture.attention,
        parameter_count=manifest.architecture.parameters,
        source_vocabulary_size=manifest.vocabulary.size,
        target_vocabulary_size=manifest.vocabulary.size,
        limits=model_pb2.Limits(
            max_source_tokens=manifest.limits.max_source_tokens,
            max_length=manifest.limits.max_length,
            max_beam_size=model.max_hypotheses,
            max_num_hypotheses=model.max_hypotheses,
            max_batch_items=limits.max_batch_items,
            max_text_bytes=limits.max_text_bytes,
            max_glossary_terms=limits.max_glossary_terms,
        ),
        default_options=options_pb2.DecodeOptions(
            beam_size=1,
            num_hypotheses=1,
            patience=1,
            length_penalty=LENGTH_PENALTY,
            coverage_penalty=0,
            repetition_penalty=1,
            max_length=manifest.limits.max_length,
            max_length_ratio=LENGTH_RATIO,
            max_length_offset=LENGTH_OFFSET,
        ),
        default_output=options_pb2.OutputOptions(
            alignment=options_pb2.ALIGNMENT_MODE_NONE,
            alignment_unit=options_pb2.ALIGNMENT_UNIT_WORD,
            alignment_min_weight=LEAST_WEIGHT,
            timing=True,
            stream_flush_tokens=1,
        ),
        runtime=model_pb2.Runtime(
            provider=model.facts.provider,
            device=str(model.device),
            precision=model.facts.precision,
            slots=model.limits.slots,
            cpu_nodes=model.facts.cpu_nodes if model.facts.device else None,
            memcpy_nodes=model.facts.device.memcpy_nodes if model.facts.device else None,
            load_duration=duration(model.facts.load_seconds),
            loaded_at=Timestamp(seconds=int(model.facts.loaded_at)),
        ),
        bundle_digest=model.digest,
        bundle_format_version=FORMAT_VERSION,
        parity=model_pb2.Parity(passed=True, sentences=min(len(manifest.golden), REPLAYED)),
        training_scores=[
            model_pb2.TrainingScore(metric=s.metric, value=s.value, dataset=s.dataset, signature=s.signature)
            for s in manifest.scores
        ],
        training_data="; ".join([*manifest.training_data, *filter(None, [manifest.licence])]),
    )
