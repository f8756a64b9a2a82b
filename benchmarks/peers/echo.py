"""A server that translates nothing and answers at once: what gRPC itself takes, in Python, on the loop that ours has.

python -m benchmarks.peers.echo
"""

import uvloop

from benchmarks.peers.loop import Translation
from benchmarks.peers.server import ProcessPeer, serve


async def echo(text: str) -> Translation:
    """Give a text back."""
    return Translation(text, 0)


def bare() -> ProcessPeer:
    """Make the peer."""
    return ProcessPeer("gRPC alone, a Python server that answers at once", "benchmarks.peers.echo")


if __name__ == "__main__":
    uvloop.run(serve(echo))
