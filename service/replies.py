"""From finished requests and loaded models to the messages that tell of them."""

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from seq2serve.v1 import model_pb2, options_pb2, translation_pb2
from service.bundle import FORMAT_VERSION
from service.model import GOLDEN_REPLAYED, Model
from service.registry import Registry
from service.request import FinishReason, Request
from service.validation import LENGTH_OFFSET, LENGTH_RATIO, EdgeLimits, Source

FINISH_REASONS = {
    FinishReason.EOS: translation_pb2.FINISH_REASON_EOS,
    FinishReason.LENGTH: translation_pb2.FINISH_REASON_LENGTH,
}


def duration(seconds: float) -> Duration:
    """Turn seconds into a protobuf Duration."""
    nanos = round(seconds * 1e9)
    return Duration(seconds=nanos // 10**9, nanos=nanos % 10**9)


def hypothesis(
    request: Request, text: str, model: Model, output: options_pb2.OutputOptions
) -> translation_pb2.Hypothesis:
    """Describe the translation of a finished request; scores and tokens where `output` asks for them."""
    assert request.finish_reason is not None
    reply = translation_pb2.Hypothesis(text=text, finish_reason=FINISH_REASONS[request.finish_reason])
    if output.scores:
        reply.log_probability = request.log_probability
        reply.score = request.log_probability / request.steps  # eos is a scored piece as well
    if output.tokens:
        reply.token_ids.extend(request.target_ids)
        reply.tokens.extend(model.vocabulary.pieces(request.target_ids))
    return reply


def usage(request: Request, source: Source, model: Model) -> translation_pb2.Usage:
    """Count the pieces of a request."""
    return translation_pb2.Usage(
        source_tokens=len(source.ids),
        target_tokens=len(request.target_ids),
        unknown_source_tokens=source.ids.count(model.vocabulary.unknown_id),
        truncated_source_tokens=source.truncated,
    )


def timing(request: Request, stages: dict[str, float], total: float) -> translation_pb2.Timing:
    """Tell where the time of a request went; the same figures as the metrics."""
    return translation_pb2.Timing(
        total=duration(total),
        time_to_first_token=duration(request.first_token_at - request.submitted_at),
        decode_steps=request.steps,
        mean_batch_size=request.mean_batch_size,
        **{stage: duration(seconds) for stage, seconds in stages.items()},
    )


def model_ref(model: Model) -> model_pb2.ModelRef:
    """Name a model and its version."""
    return model_pb2.ModelRef(name=model.name, version=model.version)


def describe(model: Model, registry: Registry, limits: EdgeLimits) -> model_pb2.Model:
    """Describe a loaded model, with the other loaded versions of the same name."""
    manifest = model.manifest
    siblings = sorted(other.version for other in registry.models if other.name == model.name)
    state = model_pb2.MODEL_STATE_AVAILABLE
    return model_pb2.Model(
        name=model.name,
        version=model.version,
        state=state,
        versions=[model_pb2.VersionStatus(version=version, state=state) for version in siblings],
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
            max_beam_size=limits.max_beam_size,
            max_num_hypotheses=limits.max_beam_size,
            max_text_bytes=limits.max_text_bytes,
        ),
        default_options=options_pb2.DecodeOptions(
            beam_size=1,
            num_hypotheses=1,
            max_length=manifest.limits.max_length,
            max_length_ratio=LENGTH_RATIO,
            max_length_offset=LENGTH_OFFSET,
        ),
        default_output=options_pb2.OutputOptions(timing=True),
        runtime=model_pb2.Runtime(
            provider=model.provider,
            device=model.device.kind,
            precision=model.precision,
            slots=model.limits.slots,
            load_duration=duration(model.load_seconds),
            loaded_at=Timestamp(seconds=int(model.loaded_at)),
        ),
        bundle_digest=manifest.digest(),
        bundle_format_version=FORMAT_VERSION,
        parity=model_pb2.Parity(passed=True, sentences=min(len(manifest.golden), GOLDEN_REPLAYED)),
        training_scores=[
            model_pb2.TrainingScore(metric=s.metric, value=s.value, dataset=s.dataset, signature=s.signature)
            for s in manifest.scores
        ],
        training_data="; ".join([*manifest.training_data, *filter(None, [manifest.licence])]),
    )
