"""Pure functions on arrays of repeated measurements; they know nothing of training."""

import functools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import mean as exact_mean  # of equal values: that value
from typing import Any

import numpy as np

SUFFIXES = ("mean", "std", "sem", "ci95_low", "ci95_high", "bca95_low", "bca95_high", "median", "min", "max")
BCA_MINIMUM = 10
RESAMPLES = 9999
MOST_DRAWN = 2**22  # numbers of 8 bytes
PAIRED = (
    "n",
    "difference_mean",
    "difference_std",
    "difference_ci95_low",
    "difference_ci95_high",
    "p",
    "probability_of_improvement",
    "detectable_difference",
)
ENUMERATED = 16  # up to so many pairs every pattern of signs is tried
LEVEL = 0.05
POWER = 0.8
ROUNDING = 1e-9  # accuracies are k / N in 64 bits: differences nearer than this are equal


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
    # written out: scipy.stats, which has it, takes longer to import than all tables take to make
    from scipy.special import ndtr, ndtri

    pulls = x - x.mean()
    shifts = _resampled_means(pulls)
    equal = ROUNDING * np.abs(x).max()  # losses may be as small as that
    below = np.count_nonzero(shifts < -equal) + np.count_nonzero(shifts <= equal)
    correction = ndtri(below / (2 * RESAMPLES))
    # by what the mean lacks without a value, up to a factor that cancels
    acceleration = np.sum(pulls**3) / (6 * np.sum(pulls**2) ** 1.5)
    shifted = correction + ndtri([LEVEL / 2, 1 - LEVEL / 2])
    levels = ndtr(correction + shifted / (1 - acceleration * shifted))
    low, high = x.mean() + np.interp(levels * (RESAMPLES - 1), np.arange(RESAMPLES), np.sort(shifts))
    return float(low), float(high)


def _resampled_means(x: np.ndarray) -> np.ndarray:
    """The means of resamples of `x`, shapes (..., n) and (..., RESAMPLES): the same places of any n values."""
    n = x.shape[-1]
    # added up in one order, however many are drawn at a time
    return np.concatenate([sum(x.take(row, axis=-1) for row in places) for places in _draws(n, n)], axis=-1) / n


def _draws(below: int, n: int) -> Iterable[np.ndarray]:
    """`RESAMPLES` columns of n whole numbers from 0 to below - 1, in batches of 32 MB each at most: always the same."""
    batch = max(1, MOST_DRAWN // n)
    columns = tuple(min(batch, RESAMPLES - start) for start in range(0, RESAMPLES, batch))
    return _kept_draws(below, n, columns) if len(columns) == 1 else _fresh_draws(below, n, columns)


@functools.lru_cache(maxsize=2)
def _kept_draws(below: int, n: int, columns: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """For the next metric or pair, which has as many values: to draw takes longer than what is done with them."""
    return tuple(_fresh_draws(below, n, columns))


def _fresh_draws(below: int, n: int, columns: Iterable[int]) -> Iterator[np.ndarray]:
    numbers = np.random.default_rng(0)
    return (numbers.integers(0, below, (number, n)).T.copy() for number in columns)


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


def compare(first: Mapping[int, float], second: Mapping[int, float], test_to_train: float = 0.0) -> dict[str, Any]:
    """Second minus first, accuracies by seed, in pairs of the seeds that both have; keys are `PAIRED`.

    Everything but the number of pairs and the mean is None for n < 2. `test_to_train` is n_test / n_train
    where every trial draws its own split, else 0. Trials then share most of their training examples, so
    their differences are correlated: the variance of the mean is var * (1/n + n_test/n_train) rather than
    var / n (Nadeau and Bengio 2003), and p comes from t with that variance, because sign flips need
    independent differences. Without spread it is 1 where nothing differs, else None.
    """
    d = differences(first, second)
    result: dict[str, Any] = dict.fromkeys(PAIRED) | {"n": len(d)}
    if not len(d):
        return result
    mean = result["difference_mean"] = float(d.mean())
    if len(d) < 2:
        return result
    std = float(d.std(ddof=1)) if np.ptp(d) > ROUNDING else 0.0
    error = std * math.sqrt(1 / len(d) + test_to_train)
    half = t_quantile(len(d) - 1) * error
    return result | {
        "difference_std": std,
        "difference_ci95_low": mean - half,
        "difference_ci95_high": mean + half,
        "p": t_p(mean, error, len(d) - 1) if test_to_train else sign_flip_p(d),
        "probability_of_improvement": probability_of_improvement(d),
        "detectable_difference": detectable_difference(std, len(d), test_to_train),
    }


def differences(first: Mapping[int, float], second: Mapping[int, float]) -> np.ndarray:
    """Second minus first, float64 of shape (n,), by ascending seed, of the seeds that both have."""
    seeds = sorted(first.keys() & second.keys())
    return np.array([second[seed] - first[seed] for seed in seeds], np.float64)


def sign_flip_p(d: np.ndarray) -> float | None:
    """Two-sided p of paired differences `d`, shape (n,): had the pairs no direction, any sign were as likely.

    The share of sign patterns whose sum is as far from 0 as the measured one: of all 2^n to n = 16, beyond
    that (b + 1) / (m + 1) of m = 9999 drawn with a fixed seed (Phipson and Smyth 2010). None for n < 2.
    """
    if len(d) < 2:
        return None
    reached = abs(d.sum()) - len(d) * ROUNDING  # equal sums are common among k / N and must count
    if len(d) <= ENUMERATED:
        sums = d[:1]  # a pattern and its opposite are equally far from 0: the first sign stays
        for value in d[1:]:
            sums = np.concatenate([sums + value, sums - value])
        return float(np.mean(np.abs(sums) >= reached))
    sums = np.concatenate([d @ (2.0 * coins - 1) for coins in _draws(2, len(d))])
    return float((np.count_nonzero(np.abs(sums) >= reached) + 1) / (RESAMPLES + 1))


def t_p(mean: float, error: float, degrees: int) -> float | None:
    """Two-sided p of a mean with this standard error by Student's t; without error 1 for a mean of 0, else None."""
    if error == 0:
        return 1.0 if abs(mean) <= ROUNDING else None
    from scipy.special import stdtr

    return float(2 * stdtr(degrees, -abs(mean) / error))


def probability_of_improvement(d: np.ndarray) -> float | None:
    """The share of pairs with a positive difference, ties as half; None for n < 2.

    Pairs of one seed, not every trial against every other (Agarwal et al. 2021, whose runs share no
    seeds): a seed's split and order of batches are luck that both trials had, and it cancels in the pair.
    """
    if len(d) < 2:
        return None
    return float(np.mean(np.where(np.abs(d) <= ROUNDING, 0.5, d > 0)))


def detectable_difference(std: float | None, n: int, test_to_train: float = 0.0) -> float | None:
    """The smallest true difference that n pairs with this standard deviation show with 80 % power.

    Of a paired t test, two-sided at 5 % before any correction for several comparisons; in the unit of
    `std`. None for n < 2 and where there is no spread to go by.
    """
    if n < 2 or not std:
        return None
    from scipy.special import nctdtrinc

    # the other tail, a difference shown in the wrong direction, holds less than 1e-5 at this power
    shift = float(nctdtrinc(n - 1, 1 - POWER, t_quantile(n - 1, 1 - LEVEL)))
    return shift * std * math.sqrt(1 / n + test_to_train)


def holm(p: Sequence[float | None]) -> list[float | None]:
    """Holm's (1979) adjusted p of one family, in the order given.

    None stays None but counts in the family: what was asked does not shrink by what could not be measured.
    """
    adjusted: list[float | None] = [None] * len(p)
    known = sorted((value, place) for place, value in enumerate(p) if value is not None)
    largest = 0.0
    for rank, (value, place) in enumerate(known):
        largest = adjusted[place] = max(largest, min(1.0, (len(p) - rank) * value))
    return adjusted


def pairs_needed(comparisons: int) -> int:
    """The least n with which sign flips can reach 5 % after Holm: comparisons * 2^(1-n) <= 0.05."""
    n = 1
    while comparisons * 2.0 ** (1 - n) > LEVEL:
        n += 1
    return n


def binomial_standard_error(accuracy: float, examples: int) -> float:
    """Of one accuracy, a fraction 0 to 1, as an estimate over other test sets of so many examples.

    The luck of the test set's draw; the spread over trials on one test set holds none of it.
    """
    return math.sqrt(accuracy * (1 - accuracy) / examples)


def selection_bias(accuracies: np.ndarray) -> float | None:
    """By how much the mean of the best row flatters it: picked and measured by the same trials.

    `accuracies` has shape (configurations, seeds). Seeds are resampled for all rows together, for they
    share their luck (fixed resampling seed); each time the best row's resampled mean is held against its
    mean. Holds the luck of the trials, not that of the test set they share. None for fewer than two
    configurations or seeds.
    """
    x = np.asarray(accuracies, np.float64)
    rows, n = x.shape
    if rows < 2 or n < 2:
        return None
    means = x.mean(axis=1)
    deviations = np.where(np.ptp(x, axis=1, keepdims=True) > ROUNDING, x - means[:, None], 0)
    gains = _resampled_means(deviations).T
    best = np.round((means + gains) / ROUNDING).argmax(axis=1)  # of equal ones the first, whatever rounding says
    return float(np.take_along_axis(gains, best[:, None], axis=1).mean())
