"""Every cell with every context, exported in every precision and served: python -m benchmarks.family.

Models are small and their weights random. An export proves parity with PyTorch; what a server in fp32 translates must
be what PyTorch does, and one in fp16 or int8 must load them all, which proves their golden translations, and serve.
"""

import argparse
import logging
import tempfile
import time
from pathlib import Path

import torch

from seq2serve import Client
from service.parts import FP16, FP32, INT8
from tests.family import MEMBERS, SOURCES, check_served, export_member
from tests.server_process import ServerProcess


def main() -> None:
    """Print a line for each member, and raise at the first that is not served as it should be."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.family", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=MEMBERS, default=list(MEMBERS), metavar="CELL-CONTEXT")
    given = parser.parse_args()
    torch.set_num_threads(1)
    logging.getLogger("export.golden").setLevel(logging.ERROR)  # random models leave many out
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        bundles = {}
        for name in given.only:
            started = time.monotonic()
            bundles[name] = export_member(folder / "runs", name, (FP32, FP16, INT8), folder / "repository")
            print(f"{name:24} exported with parity in {time.monotonic() - started:.0f} s", flush=True)
        for precision in (FP32, FP16, INT8):
            arguments = ("--model-repository", str(folder / "repository"), "--precision", precision)
            with ServerProcess(*arguments) as server, Client(server.address) as client:
                for name, bundle in bundles.items():
                    if precision == FP32:
                        check_served(client, bundle)
                    else:
                        client.translate_batch(SOURCES, model=name)
                    print(f"{name:24} served in {precision}", flush=True)


if __name__ == "__main__":
    main()
