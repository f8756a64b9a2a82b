"""From pieces of a text to a request that an engine takes."""

import numpy

from service.bundle import Bundle
from service.errors import BundleError
from service.options import SearchOptions
from service.request import Request
from service.vocabulary import Vocabulary


class Intake:
    """Know a bundle's vocabulary, and make requests of what it splits texts into."""

    def __init__(self, bundle: Bundle) -> None:
        """Load the vocabulary.

        Raises:
            BundleError: it does not load, or numbers its pieces otherwise than the manifest says.
        """
        manifest = bundle.manifest
        path, special = bundle.file(manifest.vocabulary.file), manifest.special_ids
        self.vocabulary = Vocabulary(path, manifest.vocabulary.size)
        expected = (special.pad, special.unk, special.bos, special.eos)
        if (found := self.vocabulary.special_ids) != expected:
            raise BundleError(path, f"numbers padding, unknown, begin and end {found}, the manifest says {expected}")
        self.end = [special.eos] if manifest.source_end else []
        self._longest = manifest.limits.max_length

    def plain_options(self, source_length: int, scored: bool) -> SearchOptions:
        """Return the options of greedy search, bounded by the model's default."""
        return SearchOptions(min(self._longest, 2 * source_length + 10), scored=scored)

    def request(self, source_ids: list[int], options: SearchOptions, streams: bool = False) -> Request:
        """Make a request of source pieces."""
        return Request(numpy.array([*source_ids, *self.end], numpy.int64), options, streams)
