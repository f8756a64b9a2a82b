"""Is it healthy? Rate, errors and duration of every method."""

from deploy.grafana.source.dashboard import Dashboard, Row
from deploy.grafana.source.panel import Panel
from deploy.grafana.source.queries import OURS, quantile, total

DASHBOARD = Dashboard(
    "seq2serve-overview",
    "Overview",
    "Is it healthy? Do I need another replica? Rate, errors and duration of every method.",
    (
        Row(
            "Now",
            (
                Panel(
                    "Replicas up",
                    "Servers that answer Prometheus.",
                    "docker compose ps -a shows which one is not healthy, or gone; its log says why. See ReplicaIsMissing and "
                    "TargetDown.",
                    (('sum(up{job="server"}) or vector(0)', ""),),
                    kind="stat",
                    width=4,
                    height=4,
                ),
                Panel(
                    "Replicas wanted",
                    "How many the load is worth, at three quarters of their slots.",
                    "more than are up: docker compose up -d --scale server=N.",
                    (("max(job:seq2serve_desired_replicas:ceil1m)", ""),),
                    kind="stat",
                    width=4,
                    height=4,
                ),
                Panel(
                    "Alerts that fire",
                    "Alerts of deploy/prometheus/rules that fire now.",
                    "Prometheus' page /alerts has what each one says to do.",
                    (('count(ALERTS{alertstate="firing"}) or vector(0)', ""),),
                    kind="stat",
                    width=4,
                    height=4,
                    red=1,
                ),
                Panel(
                    "Not answered",
                    "Share of texts of the last hour that failed by the service's fault; 0.1 % is allowed.",
                    "see refusals by reason (Engine), and the runbook of ErrorBudgetBurnsFast.",
                    (('slo:seq2serve_errors:ratio_rate1h{slo="availability"}', ""),),
                    unit="percentunit",
                    kind="stat",
                    width=4,
                    height=4,
                    red=0.001,
                ),
                Panel(
                    "Not within a second",
                    "Share of answers of the last hour that took longer than a second; 1 % is allowed.",
                    "see where the time goes (Latency).",
                    (('slo:seq2serve_errors:ratio_rate1h{slo="latency"}', ""),),
                    unit="percentunit",
                    kind="stat",
                    width=4,
                    height=4,
                    red=0.01,
                ),
                Panel(
                    "Slots in use",
                    "Share of all slots that decode something, over five minutes.",
                    "from 80 % on wide beams may not fit into what is free, and at 100 % nobody does: see Queue (Engine) and "
                    "SlotsAreFull.",
                    (("avg(instance:seq2serve_slots:busy5m)", ""),),
                    unit="percentunit",
                    kind="stat",
                    width=4,
                    height=4,
                    red=0.8,
                ),
            ),
        ),
        Row(
            "Calls by method",
            (
                Panel(
                    "Rate",
                    "Calls that ended, each second.",
                    "a sudden fall with replicas up means that clients, or the balancer, do not reach them.",
                    ((total("grpc_server_handled_total", OURS, "grpc_method"), "{{grpc_method}}"),),
                    unit="reqps",
                ),
                Panel(
                    "Errors",
                    "Calls that did not end with OK, by status code; may be empty while nothing fails.",
                    "INVALID_ARGUMENT and CANCELLED are the clients'. RESOURCE_EXHAUSTED: add replicas. UNAVAILABLE: replicas "
                    "stop. INTERNAL: the log has the cause.",
                    (
                        (
                            total("grpc_server_handled_total", f'{OURS}, grpc_code!="OK"', "grpc_method, grpc_code"),
                            "{{grpc_method}} {{grpc_code}}",
                        ),
                    ),
                    unit="reqps",
                ),
                Panel(
                    "Duration, p95",
                    "19 of 20 calls took no longer; batches and bulks are as long as they are large.",
                    "see Latency, which counts texts instead of calls.",
                    ((quantile(0.95, "grpc_server_handling_seconds", OURS, "grpc_method"), "{{grpc_method}}"),),
                    unit="s",
                ),
                Panel(
                    "In flight",
                    "Calls that are being handled.",
                    "growing without end: answers come slower than calls. See Queue (Engine).",
                    (('sum by (grpc_method) (grpc_server_in_flight{job="server"})', "{{grpc_method}}"),),
                ),
                Panel(
                    "Texts",
                    "Texts that were answered each second, also those in batches, bulks and streams.",
                    "compare with the rate of calls: one large client shows here first.",
                    ((total("seq2serve_request_duration_seconds_count", "", "model"), "{{model}}"),),
                    unit="reqps",
                ),
                Panel(
                    "Pieces",
                    "Source and target pieces each second: the work that is done.",
                    "fewer at the same rate of texts are shorter texts, or translations that are cut (Models).",
                    (
                        (total("seq2serve_source_tokens_total"), "source"),
                        (total("seq2serve_target_tokens_total"), "target"),
                    ),
                ),
            ),
        ),
    ),
)
