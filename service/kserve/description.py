"""What a model says of itself in the protocol's words, and in Triton's."""

from service.kserve.stubs import inference_pb2
from service.kserve.tensors import OUTPUTS, TEXT, TEXT_INPUT
from service.model import Model
from service.registry import Registry

BACKEND = "seq2serve"
PLATFORM = "seq2serve_onnx"
TRITON_TYPES = {TEXT: inference_pb2.TYPE_STRING, "FP32": inference_pb2.TYPE_FP32}
ANY_NUMBER = [-1]  # of texts


def metadata(model: Model, registry: Registry) -> inference_pb2.ModelMetadataResponse:
    """Describe a model, with all loaded versions of its name."""
    tensor = inference_pb2.ModelMetadataResponse.TensorMetadata
    versions = sorted((other.version for other in registry.models if other.name == model.name), reverse=True)
    return inference_pb2.ModelMetadataResponse(
        name=model.name,
        versions=map(str, versions),
        platform=PLATFORM,
        inputs=[tensor(name=TEXT_INPUT, datatype=TEXT, shape=ANY_NUMBER)],
        outputs=[tensor(name=name, datatype=one.datatype, shape=ANY_NUMBER) for name, one in OUTPUTS.items()],
    )


def config(model: Model) -> inference_pb2.ModelConfig:
    """Describe a model as a configuration of Triton's."""
    return inference_pb2.ModelConfig(
        name=model.name,
        platform=PLATFORM,
        backend=BACKEND,
        max_batch_size=0,
        input=[inference_pb2.ModelInput(name=TEXT_INPUT, data_type=TRITON_TYPES[TEXT], dims=ANY_NUMBER)],
        output=[
            inference_pb2.ModelOutput(name=name, data_type=TRITON_TYPES[one.datatype], dims=ANY_NUMBER)
            for name, one in OUTPUTS.items()
        ],
        model_transaction_policy=inference_pb2.ModelTransactionPolicy(decoupled=False),
    )
