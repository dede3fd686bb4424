"""Pure functions on arrays of repeated measurements; they know nothing of training."""

import math
import warnings
from collections.abc import Sequence
from statistics import mean as exact_mean  # of equal values: that value

import numpy as np

SUFFIXES = ("mean", "std", "sem", "ci95_low", "ci95_high", "bca95_low", "bca95_high", "median", "min", "max")
BCA_MINIMUM = 10
RESAMPLES = 9999


def summarize(values: Sequence[float]) -> dict[str, float | None]:
    """Mean, spread and intervals of independent repetitions, by suffix; None where n is too small.

    `std` has ddof 1, `ci95` is the t interval of the mean (n >= 2), `bca95` the bias-corrected and
    accelerated bootstrap interval of the mean (n >= 10, fixed resampling seed; Efron 1987).
    """
    x = np.asarray(values, np.float64)
    result: dict[str, float | None] = dict.fromkeys(SUFFIXES)
    if not len(x):
        return result
    result |= {"mean": float(x.mean()), "median": float(np.median(x)), "min": float(x.min()), "max": float(x.max())}
    if len(x) < 2:
        return result
    std = float(x.std(ddof=1)) if x.min() < x.max() else 0.0  # rounding of the mean must not look like spread
    sem = std / math.sqrt(len(x))
    half = t_quantile(len(x) - 1) * sem
    result |= {"std": std, "sem": sem, "ci95_low": float(x.mean()) - half, "ci95_high": float(x.mean()) + half}
    result["bca95_low"], result["bca95_high"] = bca_interval(x)
    return result


def t_quantile(degrees: float, level: float = 0.95) -> float:
    """The two-sided quantile of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.5 + level / 2))


def bca_interval(x: np.ndarray) -> tuple[float | None, float | None]:
    """The 95 % BCa bootstrap interval of the mean of `x`, shape (n,); None for n < 10."""
    if len(x) < BCA_MINIMUM:
        return None, None
    if x.min() == x.max():
        return float(x[0]), float(x[0])
    from scipy.stats import bootstrap

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = bootstrap(
            (x,), np.mean, n_resamples=RESAMPLES, method="BCa", rng=np.random.default_rng(0)
        ).confidence_interval
    return float(found.low), float(found.high)


def prediction_interval(groups: Sequence[Sequence[float]], runs: int) -> tuple[float, float, float] | None:
    """Where the mean of new runs would fall, `runs` in each group, with 95 % probability.

    `groups` holds the measured repetitions of each configuration that the mean is taken over. Returns
    (measured mean, low, high), or None where a group has fewer than two values. One group of n
    values: mean +- t(n-1) * s * sqrt(1/runs + 1/n).
    """
    if not groups or min(map(len, groups)) < 2:
        return None
    variances = [float(np.var(group, ddof=1)) * (1 / runs + 1 / len(group)) for group in groups]
    mean = exact_mean(exact_mean(map(float, group)) for group in groups)
    total = sum(variances)
    if total == 0:
        return mean, mean, mean
    # Welch and Satterthwaite's degrees of freedom for the sum of the groups' variances
    degrees = total**2 / sum(v**2 / (len(group) - 1) for v, group in zip(variances, groups, strict=True))
    half = t_quantile(degrees) * math.sqrt(total) / len(groups)
    return mean, mean - half, mean + half
