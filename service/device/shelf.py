"""All racks of a device: which are free, and when another may be taken."""

from collections.abc import Sequence

from service.device.memory import DeviceFull, Memory
from service.device.rack import Rack, rack_bytes
from service.parts import Tensor

LEAST = 32  # slots of a rack beside the first of its length


class Shelf:
    """Keep racks for lanes: one of each source length from the start, with room for everybody; others as needed.

    A rack that was given back keeps its addresses, so what was bound to it serves the next lane too. Only on those that
    are there from the start, and stay, is anything captured: ONNX Runtime's CUDA provider never frees a captured graph.
    """

    def __init__(
        self, memory: Memory, slots: int, lengths: Sequence[int], remembered: Sequence[Tensor], state: Sequence[Tensor]
    ) -> None:
        """Make the first racks, of `slots` rows.

        Raises:
            DeviceFull: the device has not as much memory; says how much it takes.
        """
        self._memory, self._tensors = memory, (remembered, state)
        self.bytes = sum(rack_bytes(slots, length, remembered, state) for length in lengths)
        left = memory.left()
        if self.bytes > left:
            raise DeviceFull(f"{slots} slots take {self.bytes >> 20} MiB of the device's memory, {left >> 20} are left")
        self.first = [Rack(memory, slots, length, remembered, state) for length in lengths]
        self._free = list(self.first)

    def take(self, slots: int, length: int) -> Rack:
        """Return a free rack of at least as many slots for sources of up to `length` pieces, the largest there is.

        Raises:
            DeviceFull: there is none, and no memory for another.
        """
        fitting = [rack for rack in self._free if rack.length == length and rack.slots >= slots]
        if fitting:
            rack = max(fitting, key=lambda rack: rack.slots)
            self._free.remove(rack)
            return rack
        slots = max(LEAST, 1 << (slots - 1).bit_length())
        try:
            rack = Rack(self._memory, slots, length, *self._tensors)
        except DeviceFull:
            self._tidy()
            rack = Rack(self._memory, slots, length, *self._tensors)
        self.bytes += self._bytes(rack)
        return rack

    def give_back(self, rack: Rack) -> None:
        """Let another lane have a rack."""
        self._free.append(rack)

    def _tidy(self) -> None:
        """Give back the memory of racks that nobody has, but for the first ones."""
        for rack in [rack for rack in self._free if rack not in self.first]:
            self._free.remove(rack)
            self.bytes -= self._bytes(rack)
            rack.free()

    def _bytes(self, rack: Rack) -> int:
        return rack_bytes(rack.slots, rack.length, *self._tensors)
