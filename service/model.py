"""One served model: what its bundle says, how requests to it are made, and what answers them."""

from weakref import WeakSet

from service.core.interface import Core
from service.intake import Intake
from service.setup import Setup


class Model:
    """Hold a loaded model version."""

    def __init__(self, setup: Setup, core: Core) -> None:
        """Take what was loaded and what computes for it.

        Raises:
            BundleError: the vocabulary does not fit the manifest.
        """
        bundle, limits = setup.bundle, setup.limits
        self.readers = 0  # calls that make a translation for it
        self.users: WeakSet[object] = WeakSet()  # translations that are not done, unless they were given up
        self.core, self.facts = core, core.facts
        self.bundle, self.manifest = bundle, bundle.manifest
        self.digest = bundle.manifest.digest()
        self.name, self.version = bundle.manifest.name, bundle.version
        self.device, self.limits = setup.device, limits
        # The best W + 1 pieces of each hypothesis decide on a beam of W: one of them may be the end.
        self.max_hypotheses = max(1, min(limits.beam, limits.slots, self.manifest.candidates - 1))
        self.has_attention = self.manifest.has_attention
        intake = Intake(bundle)
        self.vocabulary, self.request, self.plain_options = intake.vocabulary, intake.request, intake.plain_options
