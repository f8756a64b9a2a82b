"""Is it slow, and where does the time go?"""

from deploy.grafana.source.dashboard import Dashboard, Row
from deploy.grafana.source.panel import Panel
from deploy.grafana.source.queries import MODEL, WINDOW, mean, of_model, quantile, quantiles, share, total

WHOLE, STAGE = "seq2serve_request_duration_seconds", "seq2serve_request_stage_duration_seconds"
ANSWERED = total(f"{WHOLE}_count", MODEL)
STAGES = ("tokenize", "queue", "encode", "decode", "detokenize")


def _mean_of(stage: str) -> str:
    return share(total(f"{STAGE}_sum", of_model(f'stage="{stage}"')), ANSWERED)


HAND_OVER = share(f"({total(f'{WHOLE}_sum', MODEL)} - {total(f'{STAGE}_sum', MODEL)})", ANSWERED)
WATERFALL = (*((_mean_of(stage), stage) for stage in STAGES), (HAND_OVER, "hand-over"))
TELLS = "queue: add replicas. decode: see step time (Engine). tokenize, detokenize or hand-over: the event loop or other work takes the cores."

DASHBOARD = Dashboard(
    "seq2serve-latency",
    "Latency",
    "Is it slow, and where does the time go? Of texts, not of calls.",
    (
        Row(
            "Where the time goes",
            (
                Panel(
                    "Mean time by stage",
                    "Means add up, quantiles do not: the height is the mean time of a text. What no stage has is hand-over, "
                    "for which replies under load wait for one another, some 10 ms at most.",
                    TELLS,
                    WATERFALL,
                    unit="s",
                    width=16,
                    stacked=True,
                ),
                Panel(
                    "The same, now",
                    "The last value of each stage, in the order in which they follow one another.",
                    TELLS,
                    WATERFALL,
                    unit="s",
                    kind="bargauge",
                ),
                *(
                    Panel(
                        f"Stages, p{round(100 * part)}",
                        f"{round(100 * part)} of 100 texts spent no more in a stage. These do not add up.",
                        TELLS,
                        ((quantile(part, STAGE, MODEL, "stage"), "{{stage}}"),),
                        unit="s",
                    )
                    for part in (0.5, 0.95, 0.99)
                ),
            ),
        ),
        Row(
            "As a whole",
            (
                Panel(
                    "Arrival to reply",
                    "Half, 95 and 99 of 100 texts were answered in this time.",
                    "p99 alone: long texts or bursts. All three: load, or slower cores.",
                    quantiles(WHOLE, MODEL),
                    unit="s",
                    red=1,
                ),
                Panel(
                    "Heat map",
                    "How many texts took how long: two bands are two kinds of texts, or two kinds of replicas.",
                    "a band that rises is load; one that appears beside it is a replica or a client of its own (Replicas).",
                    ((f"sum by (le) (increase({WHOLE}_bucket{{{MODEL}}}{WINDOW}))", "{{le}}"),),
                    unit="s",
                    kind="heatmap",
                    width=16,
                ),
                Panel(
                    "Time to first token",
                    "Arrival to the first piece: what somebody who reads a stream waits for.",
                    "near the whole time: texts are short, or they wait in the line (queue).",
                    quantiles("seq2serve_time_to_first_token_seconds", MODEL),
                    unit="s",
                ),
                Panel(
                    "Time per output token",
                    "Decoding time of a text divided by its steps.",
                    "it grows with the batch: compare batch size (Engine). If not, something else takes the cores.",
                    quantiles("seq2serve_time_per_output_token_seconds", MODEL),
                    unit="s",
                ),
                Panel(
                    "Mean by version",
                    "Arrival to reply, of each version of each model.",
                    "a new version that is slower is larger, or writes longer translations (Models).",
                    ((mean(WHOLE, MODEL, "model, version"), "{{model}}/{{version}}"),),
                    unit="s",
                ),
            ),
        ),
    ),
    ("model",),
)
