"""Where requests come from another process, for threads of an engine that fetch them themselves."""

from typing import Protocol

from service.request import Request


class Taker(Protocol):
    """Take requests, and give them up."""

    def submit(self, request: Request) -> None:
        """Take a request.

        Raises:
            ServiceError: it was refused.
        """
        ...

    def cancel(self, request: Request) -> None:
        """Give a request up."""
        ...


class Mail(Protocol):
    """Hold what has come and was not fetched yet; any thread may call it."""

    def open(self, taker: Taker) -> None:
        """Hand everything over to a taker from now on."""
        ...

    def fetch(self) -> None:
        """Hand over what has come, if anything, in its order."""
        ...

    def wait(self) -> None:
        """Wait until something has come, or somebody rings."""
        ...

    def ring(self) -> None:
        """Wake who waits, or who is going to."""
        ...

    def abandon(self) -> None:
        """Let those who send know that nothing is taken any more, as the taker has died."""
        ...
