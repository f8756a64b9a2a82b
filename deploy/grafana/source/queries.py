"""Pieces of PromQL that several dashboards share."""

WINDOW = "[$__rate_interval]"
MODEL = 'model=~"$model"'
OURS = 'job="server", grpc_service!~"grpc[.].*"'  # calls that do work: no health checks, no reflection


def of_model(matcher: str) -> str:
    """Return matchers of the chosen models and one more."""
    return f"{MODEL}, {matcher}"


def rate(metric: str, matchers: str = "") -> str:
    """Return the rate of a counter."""
    return f"rate({metric}{{{matchers}}}{WINDOW})" if matchers else f"rate({metric}{WINDOW})"


def total(metric: str, matchers: str = "", by: str = "") -> str:
    """Return the summed rate of a counter, for each value of some labels."""
    return f"sum by ({by}) ({rate(metric, matchers)})" if by else f"sum({rate(metric, matchers)})"


def mean(histogram: str, matchers: str = "", by: str = "") -> str:
    """Return the mean of a histogram's observations."""
    return f"{total(f'{histogram}_sum', matchers, by)} / {total(f'{histogram}_count', matchers, by)}"


def quantile(share: float, histogram: str, matchers: str = "", by: str = "") -> str:
    """Return a quantile of a histogram, summed over replicas first."""
    buckets = total(f"{histogram}_bucket", matchers, f"{by}, le" if by else "le")
    return f"histogram_quantile({share}, {buckets})"


def quantiles(histogram: str, matchers: str = "") -> tuple[tuple[str, str], ...]:
    """Return the usual three."""
    return tuple((quantile(share, histogram, matchers), f"p{round(100 * share)}") for share in (0.5, 0.95, 0.99))


def share(part: str, whole: str) -> str:
    """Return a part of a whole."""
    return f"{part} / {whole}"
