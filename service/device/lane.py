"""One lane on a device: its rack, its rows, and which of two phases the next step reads."""

from collections.abc import Sequence

from service.device.rack import Phase, Rack
from service.device.shelf import Shelf
from service.request import Encoded


class DeviceLane:
    """Hold the rows of a lane of `width` hypotheses each, for sources of up to `length` pieces."""

    def __init__(self, shelf: Shelf, length: int, width: int) -> None:
        self.length, self.width = length, width
        self.rows = self.begun = 0  # `begun`: those that have had a step
        self.told = False  # the device knows by itself what each hypothesis said last
        self.phase = 0
        self._shelf = shelf
        self._rack: Rack | None = None  # none while there are no rows

    @property
    def rack(self) -> Rack:
        """Return the rack of a lane that has rows."""
        assert self._rack is not None
        return self._rack

    @property
    def reads(self) -> Phase:
        """Return what the next step reads."""
        return self.rack.phases[self.phase]

    @property
    def writes(self) -> Phase:
        """Return what the next step writes."""
        return self.rack.phases[1 - self.phase]

    def admit(self, encoded: Encoded, chosen: Sequence[int]) -> None:
        """Append the chosen rows of an encoder batch.

        Raises:
            DeviceFull: there is no memory for so many rows.
        """
        self._fit(self.rows + len(chosen))
        self.rack.admit(encoded, chosen, self.rows, self.phase, self.width)
        self.rows += len(chosen)
        self.told = False

    def _fit(self, rows: int) -> None:
        """Take a rack, or a larger one."""
        slots, old = rows * self.width, self._rack
        if old is None:
            self._rack = self._shelf.take(slots, self.length)
        elif slots > old.slots:
            self._rack = self._shelf.take(slots, self.length)
            self._rack.copy(old, self.rows, self.phase, self.width)
            if self.begun < self.rows:  # of whom no step has told yet whether they are numbers
                old.clear()
            self._shelf.give_back(old)

    def compact(self, into: Sequence[int], taken: Sequence[int], rows: int) -> None:
        """Move the rows `taken` into the places `into` and keep the first `rows`; an empty lane gives its rack back."""
        if self._rack is None:  # where taking one failed
            return
        self.rack.compact(into, taken, self.phase, self.width)
        self.rows = self.begun = rows
        self.told = False
        if not rows:
            self.leave()

    def stepped(self) -> None:
        """Let the next step read what this one wrote."""
        self.phase = 1 - self.phase
        self.begun = self.rows

    def leave(self) -> None:
        """Give the rack back, and leave nothing on it of rows that were not told to leave: their step has failed."""
        if self._rack is not None:
            if self.rows:
                self._rack.clear()
            self._shelf.give_back(self._rack)
        self._rack, self.rows, self.begun, self.told = None, 0, 0, False
