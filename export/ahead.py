"""Several greedy steps in one graph: for few rows, what a server does between two steps takes as long as a step."""

from collections.abc import Sequence

import numpy
import onnx_ir
from onnx_ir import DataType, Node, Shape, Value

IDS, LOGITS, STEPS = "ahead_ids", "ahead_logits", "steps"
PAIRS = ("B", "W")


def repeat(model: onnx_ir.Model, state: Sequence[str], end: int) -> None:
    """Let a graph of one greedy step take up to `steps` in a loop, each from the best pieces of the one before.

    It ends sooner where every hypothesis has said `end`. Of the N steps that were taken it gives the best pieces and
    their logits, (N, B, W), and of the last one the states (B, W, *), which are named as before.
    """
    graph = model.graph
    given = {str(value.name): value for value in graph.inputs}
    found = {str(value.name): value for value in graph.outputs}
    carried = [given[name] for name in ("previous_ids", *state)]
    inner = [Value(name=f"{value.name}_before", type=value.type, shape=value.shape) for value in carried]
    for value, within in zip(carried, inner, strict=True):
        value.replace_all_uses_with(within)
    nodes = list(graph)
    graph.outputs.clear()
    graph.remove(nodes)
    eos, going = (_constant(graph, name, value) for name, value in (("end", end), ("going", True)))
    body = _body(nodes, inner, found["logits"], [found[f"next_{name}"] for name in state], eos)
    steps = _value(STEPS, DataType.INT64)
    begun = _node("Equal", [carried[0], eos], _value("ended", DataType.BOOL, *PAIRS))
    last = _like(carried[0], "previous_ids_after")
    states = [_like(found[f"next_{name}"], f"next_{name}") for name in state]
    for name in state:
        found[f"next_{name}"].name = f"{name}_step"
    over = _value("ended_after", DataType.BOOL, *PAIRS)
    results = [_value(IDS, DataType.INT64, "N", *PAIRS), _value(LOGITS, DataType.FLOAT, "N", *PAIRS)]
    loop = onnx_ir.node(
        "Loop",
        [steps, going, *carried, begun.outputs[0]],
        {"body": body},
        outputs=[last, *states, over, *results],
    )
    graph.extend([begun, loop])
    graph.inputs.append(steps)
    graph.outputs.extend([*results, *states])


def _body(
    nodes: Sequence[Node], inner: Sequence[Value], logits: Value, following: Sequence[Value], eos: Value
) -> onnx_ir.Graph:
    """Make the body of the loop: a step, what it chose, and whether anybody goes on."""
    ended = _value("ended_before", DataType.BOOL, *PAIRS)
    last_axis = Value(name="last_axis", const_value=onnx_ir.tensor(numpy.array([-1])))
    place = _node("ArgMax", [logits], _value("best", DataType.INT64, *PAIRS, 1), axis=-1, keepdims=1)
    chosen = _node("Squeeze", [place.outputs[0], last_axis], _value("chosen", DataType.INT64, *PAIRS))
    score = _node(
        "GatherElements", [logits, place.outputs[0]], _value("best_logit", DataType.FLOAT, *PAIRS, 1), axis=-1
    )
    picked = _node("Squeeze", [score.outputs[0], last_axis], _value("picked", DataType.FLOAT, *PAIRS))
    said = _node("Equal", [chosen.outputs[0], eos], _value("said_end", DataType.BOOL, *PAIRS))
    over = _node("Or", [ended, said.outputs[0]], _value("over", DataType.BOOL, *PAIRS))
    alive = _node("Not", [over.outputs[0]], _value("alive", DataType.BOOL, *PAIRS))
    number = _node("Cast", [alive.outputs[0]], _value("alive_number", DataType.INT32, *PAIRS), to=int(DataType.INT32))
    most = _node("ReduceMax", [number.outputs[0]], _value("any_alive", DataType.INT32), keepdims=0)
    goes_on = _node("Cast", [most.outputs[0]], _value("goes_on", DataType.BOOL), to=int(DataType.BOOL))
    kept = _node("Identity", [chosen.outputs[0]], _value("kept", DataType.INT64, *PAIRS))
    choosing = [place, chosen, score, picked, said, over, alive, number, most, goes_on, kept]
    return onnx_ir.Graph(
        [_value("iteration", DataType.INT64), _value("going_before", DataType.BOOL), *inner, ended],
        [
            goes_on.outputs[0],
            chosen.outputs[0],
            *following,
            over.outputs[0],
            kept.outputs[0],
            picked.outputs[0],
        ],
        nodes=[*nodes, *choosing],
        initializers=[last_axis],
        name="step",
    )


def _node(kind: str, inputs: Sequence[Value], output: Value, **attributes: int) -> Node:
    return onnx_ir.node(kind, inputs, attributes, outputs=[output])


def _value(name: str, kind: DataType, *shape: str | int) -> Value:
    return Value(name=name, type=onnx_ir.TensorType(kind), shape=Shape(shape))


def _like(value: Value, name: str) -> Value:
    return Value(name=name, type=value.type, shape=value.shape)


def _constant(graph: onnx_ir.Graph, name: str, value: int | bool) -> Value:
    constant = Value(name=name, const_value=onnx_ir.tensor(numpy.array(value)))
    graph.register_initializer(constant)
    return constant
