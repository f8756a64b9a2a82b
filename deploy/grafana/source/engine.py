"""What do the engines do, and who waits for them?"""

from deploy.grafana.source.dashboard import Dashboard, Row
from deploy.grafana.source.panel import Panel
from deploy.grafana.source.queries import MODEL, mean, of_model, quantile, share, total

STEP, ENCODE = "seq2serve_decode_step_duration_seconds", "seq2serve_encode_batch_duration_seconds"
ROWS = "seq2serve_batch_size"
PADDING = total("seq2serve_padding_tokens_total", MODEL)
DECODED = total(f"{ROWS}_sum", of_model('stage="decode"'))

DASHBOARD = Dashboard(
    "seq2serve-engine",
    "Engine",
    "What do the engines do, and who waits for them? Slots, batches, steps, queue and refusals.",
    (
        Row(
            "Saturation",
            (
                Panel(
                    "Slots",
                    "Hypotheses that are being decoded, and that can be; a beam of W takes W.",
                    "at the limit whoever comes next waits: add replicas.",
                    (
                        (f"sum(seq2serve_slots_active{{{MODEL}}})", "in use"),
                        (f"sum(seq2serve_slots_limit{{{MODEL}}})", "limit"),
                    ),
                ),
                Panel(
                    "Queue",
                    "Requests that wait for slots, by replica.",
                    "one replica alone: it is slow, or gets more than its share (Replicas).",
                    ((f"sum by (instance) (seq2serve_queue_requests{{{MODEL}}})", "{{instance}}"),),
                ),
                Panel(
                    "Age of the first in line",
                    "How long the one who has waited longest has waited; red is half of the default deadline.",
                    "see the alert QueueIsOld.",
                    ((f"max by (instance) (seq2serve_queue_oldest_age_seconds{{{MODEL}}})", "{{instance}}"),),
                    unit="s",
                    red=15,
                ),
                Panel(
                    "Refusals by reason",
                    "Calls and items that failed. queue_full and deadline_unmeetable want replicas; the others are the "
                    "clients', but for internal.",
                    "docs/serving.md lists the reasons; internal has its cause in the log.",
                    ((total("seq2serve_requests_rejected_total", "", "reason"), "{{reason}}"),),
                    unit="reqps",
                ),
                Panel(
                    "How requests end",
                    "eos is the usual end; length was cut by its limit, repetition_guard looped, cancelled and deadline "
                    "were given up.",
                    "many of length: limits too low, or a model that does not end. many cancelled: clients are impatient.",
                    ((total("seq2serve_requests_finished_total", MODEL, "reason"), "{{reason}}"),),
                    unit="reqps",
                ),
                Panel(
                    "Source pieces in line",
                    "What waits, in pieces; --queue-tokens is its limit.",
                    "few requests and many pieces: long texts hold up short ones; send them as bulk, or with a lower priority.",
                    ((f"sum(seq2serve_queue_source_tokens{{{MODEL}}})", "waiting"),),
                ),
            ),
        ),
        Row(
            "Work",
            (
                Panel(
                    "Batch size",
                    "Mean rows of a step and of an encoder batch, without padding.",
                    "near 1 under load: calls come one after the other; clients should keep more in flight.",
                    ((mean(ROWS, MODEL, "stage"), "{{stage}}"),),
                ),
                Panel(
                    "Step time",
                    "One step of one lane: the time between two pieces of everybody in it.",
                    "it should grow far slower than the batch. If it grows alone, something else takes the cores.",
                    (
                        (quantile(0.5, STEP, MODEL), "p50"),
                        (quantile(0.99, STEP, MODEL), "p99"),
                        (mean(STEP, MODEL), "mean"),
                    ),
                    unit="s",
                ),
                Panel(
                    "Encoder batch",
                    "One batch of the encoder.",
                    "long sources take longer; those who decode wait meanwhile.",
                    ((quantile(0.5, ENCODE, MODEL), "p50"), (quantile(0.99, ENCODE, MODEL), "p99")),
                    unit="s",
                ),
                Panel(
                    "What the engine does",
                    "Threads that are busy, by phase: run is ONNX Runtime, the rest is ours; idle waits for work.",
                    "admit, select or emit above a fifth of run: many short texts, or Python is held up (event loop).",
                    ((total("seq2serve_engine_seconds_total", MODEL, "phase"), "{{phase}}"),),
                    stacked=True,
                ),
                Panel(
                    "Waste",
                    "Padding of encoder batches, and steps whose request was given up, each as a share of the work.",
                    "padding: lengths differ much, which sorting only softens. wasted: clients cancel, or fail on deadlines.",
                    (
                        (
                            share(PADDING, f"({PADDING} + {total('seq2serve_source_tokens_total', MODEL)})"),
                            "padding",
                        ),
                        (
                            share(total("seq2serve_wasted_steps_total", MODEL), DECODED),
                            "wasted steps",
                        ),
                    ),
                    unit="percentunit",
                ),
                Panel(
                    "Cancel to release",
                    "How soon a cancelled request's slot is free, p99 beside that of a step; may be empty while nobody cancels.",
                    "more than three steps: see the alert CancelsHoldSlots.",
                    (
                        (quantile(0.99, "seq2serve_cancel_release_seconds", MODEL), "release"),
                        (quantile(0.99, STEP, MODEL), "step"),
                    ),
                    unit="s",
                ),
                Panel(
                    "Event loop lag",
                    "How late the event loop wakes up, by replica, p99.",
                    "above 50 ms calls wait for Python: send batches instead of many small calls, or add replicas.",
                    ((quantile(0.99, "seq2serve_event_loop_lag_seconds", "", "instance"), "{{instance}}"),),
                    unit="s",
                    red=0.05,
                ),
                Panel(
                    "CPU for each 1,000 texts",
                    "CPU seconds of the servers for each 1,000 texts that were answered.",
                    "more at the same texts: smaller batches, other options (beams), or a release that costs more.",
                    (
                        (
                            '1000 * (sum(rate(process_cpu_seconds_total{job="server"}[$__rate_interval])) + '
                            'sum(rate(seq2serve_engine_cpu_seconds_total{job="server"}[$__rate_interval]))) / '
                            f"{total('seq2serve_request_duration_seconds_count')}",
                            "CPU seconds",
                        ),
                    ),
                    unit="s",
                ),
            ),
        ),
    ),
    ("model",),
)
