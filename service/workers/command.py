"""The supervisor's process: plan, start, and announce."""

import asyncio
import signal
from collections.abc import Sequence

from service import VERSION
from service.cpu import available_cpus
from service.gpus import count_gpus
from service.settings import Settings
from service.workers.plan import Plan, client_target, plan_workers
from service.workers.process import WorkerProcess, check_free
from service.workers.supervisor import Supervisor


async def supervise(settings: Settings, arguments: Sequence[str]) -> int:
    """Run `settings.workers` servers, which read the same arguments, until a signal; returns the exit status.

    Raises:
        StartupError: nothing was started.
    """
    plans = plan_workers(settings, available_cpus(), usable_gpus(settings.device))
    check_free(plans)
    supervisor = Supervisor(plans, lambda plan: WorkerProcess.start(plan, arguments), lambda: _announce(plans))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.on_signal, number)
    return await supervisor.run()


def usable_gpus(device: str) -> int:
    """Return over how many GPUs workers may be spread: none where `auto` would not take one."""
    count = 0 if device == "cpu" else count_gpus()
    if device == "auto" and count > 1:
        from service.provider import choose_device  # here, as no other supervisor needs to load ONNX Runtime

        return count if choose_device(device).kind == "cuda" else 0
    return count


def _announce(plans: Sequence[Plan]) -> None:
    target = client_target(plans)
    print(f"seq2serve {VERSION}: {len(plans)} workers are ready: {', '.join(plan.grpc_address for plan in plans)}")
    print(f'Try: .venv/bin/seq2serve translate --address {target} "The weather is nice today."', flush=True)
