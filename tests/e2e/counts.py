"""What the replicas have counted."""

from tests.compose_stack import ComposeStack

HANDLED = "grpc_server_handled_total{OK,Translate,seq2serve.v1.TranslationService,unary}"


def handled(stack: ComposeStack) -> dict[str, float]:
    """Return how many calls of Translate each replica has answered."""
    return {replica: stack.metrics(replica).get(HANDLED, 0) for replica in stack.ids()}


def total(stack: ComposeStack, name: str) -> float:
    """Sum a metric over all replicas."""
    return sum(stack.metrics(replica).get(name, 0) for replica in stack.ids())
