"""What a model takes of a GPU at a moment, in plain numbers that another process can be sent."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DeviceState:
    """Hold bytes, numbers of nodes and graphs, and a time."""

    slot_bytes: int  # of the GPU's memory that slots take
    left_bytes: int  # that the model may still take
    captured: int  # graphs
    memcpy_nodes: int | None  # copies inside decoder graphs; none: not known
    probe_seconds: float  # of a decoder step, timed at loading
    uploaded_bytes: int
    downloaded_bytes: int
