"""Do all replicas do their share?"""

from deploy.grafana.source.dashboard import Dashboard, Row
from deploy.grafana.source.panel import Panel
from deploy.grafana.source.queries import OURS, mean, quantile, share, total

HERE = 'instance=~"$instance"'
CALLS = 'instance:seq2serve_calls:rate5m{job="server"}'
JOB = f'job="server", {HERE}'

DASHBOARD = Dashboard(
    "seq2serve-replicas",
    "Replicas",
    "Do all replicas do their share, and is one of them slower than the others?",
    (
        Row(
            "Shares",
            (
                Panel(
                    "Calls by replica",
                    "Calls that each replica ended, each second.",
                    "one has all: clients reach it past the balancer. One has none: its health check fails.",
                    ((total("grpc_server_handled_total", f"{OURS}, {HERE}", "instance"), "{{instance}}"),),
                    unit="reqps",
                    stacked=True,
                ),
                Panel(
                    "Share of the calls",
                    "Of the last five minutes; N replicas should have one Nth each.",
                    "less than half of that: see the alert ReplicaIsLeftOut.",
                    ((f"instance:seq2serve_calls:share5m{{{HERE}}}", "{{instance}}"),),
                    unit="percentunit",
                    most=1,
                ),
                Panel(
                    "Imbalance",
                    "Standard deviation of the calls by replica, divided by their mean: 0 is even.",
                    "above 0.2 look at the step times: a balancer by least load gives a slow replica less, and that is right.",
                    ((share(f"stddev({CALLS})", f"avg({CALLS})"), "imbalance"),),
                    red=0.2,
                ),
                Panel(
                    "Replicas",
                    "How many answer, and how many the load is worth.",
                    "wanted above up for long: scale, or raise the autoscaler's limit.",
                    (
                        ('sum(up{job="server"})', "up"),
                        ('sum(job:seq2serve_desired_replicas:ceil1m{job="server"})', "wanted"),
                    ),
                ),
                Panel(
                    "Slots in use by replica",
                    "Share of the slots, over five minutes.",
                    "one full and others not: its steps are slow, or long texts met there.",
                    ((f"avg by (instance) (instance:seq2serve_slots:busy5m{{{HERE}}})", "{{instance}}"),),
                    unit="percentunit",
                    most=1,
                    red=0.8,
                ),
                Panel(
                    "Load by replica",
                    "What each one's slots and line are worth, in replicas.",
                    "above 1: it cannot do what it was given; the sum is what is wanted.",
                    ((f"seq2serve_desired_replicas{{{JOB}}}", "{{instance}}"),),
                    red=1,
                ),
            ),
        ),
        Row(
            "Each of them",
            (
                Panel(
                    "Step time by replica",
                    "Mean time of a step.",
                    "one is slower: its cores are throttled or shared; compare CPU. Stop it, and let another start.",
                    ((mean("seq2serve_decode_step_duration_seconds", HERE, "instance"), "{{instance}}"),),
                    unit="s",
                ),
                Panel(
                    "p95 by replica",
                    "Arrival to reply, of 19 of 20 texts.",
                    "one is slower with the same step time: it has the longer texts, or a longer line.",
                    ((quantile(0.95, "seq2serve_request_duration_seconds", HERE, "instance"), "{{instance}}"),),
                    unit="s",
                ),
                Panel(
                    "CPU by replica",
                    "Cores in use.",
                    "at the container's limit the kernel throttles it: give it more, or add replicas.",
                    (
                        (f"rate(process_cpu_seconds_total{{{JOB}}}[$__rate_interval])", "{{instance}} calls"),
                        (
                            f"sum by (instance) (rate(seq2serve_engine_cpu_seconds_total{{{JOB}}}[$__rate_interval]))",
                            "{{instance}} engines",
                        ),
                    ),
                ),
                Panel(
                    "Memory by replica",
                    "Resident memory.",
                    "it levels off after the first minutes of load. If it grows for hours, keep a heap profile and restart it.",
                    (
                        (f"process_resident_memory_bytes{{{JOB}}}", "{{instance}} calls"),
                        (
                            f"sum by (instance) (seq2serve_engine_resident_memory_bytes{{{JOB}}})",
                            "{{instance}} engines",
                        ),
                    ),
                    unit="bytes",
                ),
                Panel(
                    "Uptime",
                    "Time since each started.",
                    "saw teeth are restarts: see the alert ServerRestarts.",
                    ((f"time() - process_start_time_seconds{{{JOB}}}", "{{instance}}"),),
                    unit="s",
                ),
                Panel(
                    "Open files",
                    "Connections, mostly; --max-connections bounds them.",
                    "growing without more calls: clients open a channel for each call instead of keeping one.",
                    ((f"process_open_fds{{{JOB}}}", "{{instance}}"),),
                ),
            ),
        ),
    ),
    ("instance",),
)
