"""Which versions serve, and do their translations look as they did?"""

from deploy.grafana.source.dashboard import Dashboard, Row
from deploy.grafana.source.panel import Panel
from deploy.grafana.source.queries import MODEL, mean, of_model, quantile, share, total

BY = "model, version"
LEGEND = "{{model}}/{{version}}"
FINISHED = "seq2serve_requests_finished_total"
LOOPED = total(FINISHED, of_model('reason="repetition_guard"'), BY)
UNKNOWN = {side: total("seq2serve_unknown_tokens_total", of_model(f'side="{side}"')) for side in ("source", "target")}

DASHBOARD = Dashboard(
    "seq2serve-models",
    "Models",
    "Which versions serve, on what, and do their translations look as they did? Without references these are signs of "
    "change, not of quality.",
    (
        Row(
            "Versions",
            (
                Panel(
                    "Loaded",
                    "What is loaded where, with the provider in use.",
                    "another digest than on the others: its repository differs. The CPU where a GPU should be: see ProviderFellBack.",
                    ((f"seq2serve_model_info{{{MODEL}}}", ""),),
                    kind="table",
                    width=16,
                    hidden=("job", "architecture"),
                ),
                Panel(
                    "States",
                    "Versions by state; refused ones are not served.",
                    "refused: seq2serve models --json has the reason. See VersionRefused and ParityFailed.",
                    ((f"count by (state) (seq2serve_model_version_state{{{MODEL}}})", "{{state}}"),),
                    kind="bargauge",
                ),
                Panel(
                    "Texts by version",
                    "Texts that each version answered, each second: the way of a rollout.",
                    "a canary without texts: its alias or its weight is not set.",
                    ((total("seq2serve_request_duration_seconds_count", MODEL, BY), LEGEND),),
                    unit="reqps",
                    stacked=True,
                ),
                Panel(
                    "Pieces by version",
                    "Target pieces of each version, each second.",
                    "compare with the texts: pieces for each text are the mean length.",
                    ((total("seq2serve_target_tokens_total", MODEL, BY), LEGEND),),
                ),
                Panel(
                    "Time to load",
                    "Time to load, warm up and verify, by replica.",
                    "longer than a minute: slow disk, or cores that are taken; health checks must allow for it.",
                    (
                        (
                            f"max by (instance, model) (seq2serve_model_load_duration_seconds{{{MODEL}}})",
                            "{{instance}} {{model}}",
                        ),
                    ),
                    unit="s",
                ),
            ),
        ),
        Row(
            "Signs of quality",
            (
                Panel(
                    "Length ratio",
                    "Target pieces for each source piece, mean.",
                    "lower: sentences are cut. higher: loops, also where nobody asks for repetition_guard. Both also come with other "
                    "texts; see LengthsDrift.",
                    ((mean("seq2serve_output_length_ratio", MODEL, BY), LEGEND),),
                ),
                Panel(
                    "Unknown pieces",
                    "Share of source and target pieces that are not in the vocabulary.",
                    "source: another script or language, or broken encoding at a client; see SourcesAreUnknown.",
                    tuple(
                        (share(UNKNOWN[side], total(f"seq2serve_request_{side}_tokens_sum", MODEL)), side)
                        for side in UNKNOWN
                    ),
                    unit="percentunit",
                    red=0.05,
                ),
                Panel(
                    "Loops",
                    "Share of all translations that looped and were cut; only those of requests that ask for repetition_guard "
                    "are.",
                    "see TranslationsLoop.",
                    ((share(LOOPED, total(FINISHED, MODEL, BY)), LEGEND),),
                    unit="percentunit",
                    red=0.05,
                ),
                Panel(
                    "Source without attention",
                    "Mean share of the source that no attention was given to, of translations that asked for an alignment or a "
                    "transfer; may be empty where nobody does.",
                    "higher: text is left out. Look at the length ratio beside it.",
                    ((mean("seq2serve_attention_uncovered_ratio", MODEL, BY), LEGEND),),
                    unit="percentunit",
                ),
                Panel(
                    "Confidence",
                    "Mean probability of a piece, of translations that asked for scores; may be empty where nobody does.",
                    "lower: the texts are not what the model was trained on. Score a known file with seq2serve score.",
                    ((mean("seq2serve_output_confidence_ratio", MODEL, BY), LEGEND),),
                    unit="percentunit",
                    most=1,
                ),
                Panel(
                    "Lengths",
                    "Source and target pieces of a text, median and p95.",
                    "longer texts explain more time; see Latency.",
                    tuple(
                        (quantile(part, f"seq2serve_request_{side}_tokens", MODEL), f"{side}, p{round(100 * part)}")
                        for side in ("source", "target")
                        for part in (0.5, 0.95)
                    ),
                ),
                Panel(
                    "Cache",
                    "What became of requests to the cache; may be empty without --cache-entries.",
                    "few hits: the cache is too small, or texts do not come again; it then only takes memory.",
                    ((total("seq2serve_cache_requests_total", "", "outcome"), "{{outcome}}"),),
                    unit="reqps",
                ),
            ),
        ),
    ),
    ("model",),
)
