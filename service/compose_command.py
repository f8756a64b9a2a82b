"""`python -m service compose`: write a compose file that has a server for each GPU of this machine."""

import argparse
from collections.abc import Sequence

HEAD = """\
# Made by `python -m service compose --gpus {count}`. In place of docker-compose.gpu.yml:
#   COMPOSE_FILE=docker-compose.yml:{file} docker compose up -d --wait
# COMPOSE_FILE belongs into .env, so that later commands know of it, too.
# All servers have the name "server" in DNS, by which the balancer and Prometheus find them.
services:
"""
SERVICE = """\
  {name}:
{base}    image: ${{SERVER_IMAGE:-seq2serve:cuda}}
    build: {{ args: {{ LOCK: cuda }} }}
    environment: {{ SEQ2SERVE_DEVICE: cuda }}
    deploy:
      replicas: 1
      resources:
        limits: {{ cpus: "${{SERVER_CPUS:-2}}", memory: "${{SERVER_MEMORY:-8g}}" }}
        reservations: {{ devices: [{{ driver: nvidia, device_ids: ["{device}"], capabilities: [gpu] }}] }}
"""
BASE = """\
    extends: { file: docker-compose.yml, service: server }
    networks: { default: { aliases: [server] } }
"""
MOST = 32  # places in deploy/haproxy/haproxy.cfg


def main(arguments: Sequence[str]) -> int:
    """Print the file to standard output; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m service compose",
        description="Write a compose file that has a server for each GPU, to be used on top of docker-compose.yml.",
    )
    parser.add_argument("--gpus", type=_count, required=True, metavar="N", help=f"GPUs of this machine, 1 to {MOST}")
    chosen = parser.parse_args(arguments)
    print(compose_file(chosen.gpus), end="")
    return 0


def compose_file(gpus: int, file: str = "docker-compose.gpus.yml") -> str:
    """Return the text of the file: the base's `server` on device 0, and one that extends it for every other device."""
    services = [
        SERVICE.format(name="server" if not device else f"server-{device}", base=BASE if device else "", device=device)
        for device in range(gpus)
    ]
    return HEAD.format(count=gpus, file=file) + "".join(services)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number from 1 to {MOST}, as many servers as haproxy.cfg has"
        )
    return int(text)
