"""What a message may ask for at most, and what an engine takes on."""

from dataclasses import dataclass

from service.errors import InvalidRequest
from service.padding import ALIGNMENT
from service.provider import Device
from service.settings import Settings


@dataclass(frozen=True)
class EdgeLimits:
    """Bound what a message may ask for."""

    max_text_bytes: int
    max_batch_items: int
    max_glossary_terms: int
    places: int  # hypotheses that one call may have in line or running at a time


@dataclass(frozen=True)
class Kind:
    """Say what suits a kind of device."""

    slots: int
    shards: int  # at most
    encoded_ahead: int  # sources at a time
    shortest_lane: int  # source pieces


KINDS = {
    # Shards, one to a core: a step that several threads share waits, after each operation, for the one whose core
    # somebody else has taken. More of them would make the batches small. More rows to encode hardly cost less each, and
    # those that are being decoded wait meanwhile.
    "cpu": Kind(slots=48, shards=4, encoded_ahead=16, shortest_lane=8 * ALIGNMENT),
    # One thread feeds it, since steps follow one another on one stream. Memory is padded to the whole lane there.
    "cuda": Kind(slots=512, shards=1, encoded_ahead=64, shortest_lane=4 * ALIGNMENT),
}


@dataclass(frozen=True)
class EngineLimits:
    """Bound what one model's engine takes on at a time."""

    slots: int  # hypotheses
    queue: int  # requests
    queue_tokens: int = 1 << 30  # source pieces of these
    beam: int = 12  # hypotheses of one request
    device_bytes: int | None = None  # of a device's memory

    @classmethod
    def of(cls, settings: Settings, device: Device) -> "EngineLimits":
        """Read the limits from the settings; what they leave open is what suits the device."""
        limit = settings.gpu_memory_limit << 20 or None
        slots = settings.slots or KINDS[device.kind].slots
        return cls(slots, settings.queue_limit, settings.queue_tokens, settings.max_beam_size, limit)


def check_size(name: str, text: str, limits: EdgeLimits, error: type[InvalidRequest] = InvalidRequest) -> None:
    """Refuse a text that is too long to be looked at.

    Raises:
        InvalidRequest, or the given one: it is above the limit in bytes.
    """
    size, limit = len(text.encode()), limits.max_text_bytes
    if size > limit:
        raise error.field(name, f"has {size} bytes, the limit is {limit}", length=str(size), limit=str(limit))
