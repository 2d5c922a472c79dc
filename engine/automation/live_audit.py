"""The live audit: do automated matches keep what the certificate promised? Read after every audit.

Audits come one by one, each right or wrong. Three questions are asked of the whole sequence each time
one more is answered, so every answer has to hold at all times at once (a Clopper-Pearson interval
that is read again after each audit does not; ``docs/benchmarks.md`` has the figures):

* **Is precision below the promise p?** A bettor stakes on "wrong" at the odds of p and wins only if
  precision is below p: a mixture of likelihood ratios of alternatives q < p against p, over every
  audit at which the fall may have begun. Under "precision was at least p at every audit", constant or
  not, that is a supermartingale, so it ever reaches 1/a with probability at most a (Ville). Betting on
  a composite null: Waudby-Smith and Ramdas 2023 (arXiv 2010.09686); mixtures: Howard et al. 2021
  (arXiv 1810.08240).
* **Has it fallen from the level that was certified?** From 98 % to 93 % with p = 95 % there is not
  enough in 400 audits against p alone (the divergence asks for some 800): what tells is the change. An
  e-detector in the sense of Shin, Ramdas and Rinaldo 2022 (arXiv 2203.03532): the mixture, over the
  audit of the change, of "level in [p, 1] before it, some q < p since", divided by the best that *any*
  constant level in [p, 1] explains (universal inference; Wasserman, Ramdas and Balakrishnan 2020;
  Ramdas et al. 2022, arXiv 2102.00630). The certification labels are the beginning of the sequence on
  both sides of the fraction, so the reference level is exactly as uncertain as they leave it.
* **Where is it?** A band for the average precision of the audits so far, also when it drifts.

``alarm`` is either of the first two; both together are false with probability at most
:data:`ALARM_CHANCE`, however many audits are read. ``watch`` is the second question asked of the exact
lower bound of the certified precision instead of p: fallen, but not shown to be below the promise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.special import logsumexp, xlog1py, xlogy

from engine.contracts import AuditState

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

#: Chance of a false alarm by "below the promise", and by "fallen, and below the promise since".
BELOW_CHANCE = 0.01
FALLEN_CHANCE = 0.03
#: Chance that an alarm is ever raised although precision stayed where it was, at or above the promise.
ALARM_CHANCE = BELOW_CHANCE + FALLEN_CHANCE
#: Chance of ``watch`` although precision stayed at or above the certified lower bound.
WATCH_CHANCE = 0.05
#: Confidence of the band and of the certified lower bound.
BAND_CONFIDENCE = 0.95

#: Half of the weight of changes lies on the first so many audits, the rest on all that follow.
_CHANGE_SCALE = 500.0
#: Weight of "below the promise from the beginning"; the rest is spread over later audits.
_FROM_THE_BEGINNING = 0.5
#: Shares of wrong answers since a fall, as multiples of the allowed share.
_SINCE = (1.1, 1.2, 1.4, 1.7, 2.0, 2.5, 3.5, 5.0, 8.0)
#: Shares of wrong answers before a fall, as parts of the allowed share.
_BEFORE = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
#: Stakes of the band's bets, in log odds; each is played in both directions.
_STAKES = np.geomspace(0.02, 6.0, 24)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the audits say, each array [n] after each audit; e-values as natural logarithms.

    ``alarm_at`` and ``watch_at`` are the number of audits after which the state was first reached
    (None: never); an alarm once raised stays. ``since`` is the audit from which precision has most
    likely fallen (0 = the first).
    """

    state: AuditState
    alarm_at: int | None
    watch_at: int | None
    below: Floats
    fallen: Floats
    since: int | None


def change_weights(count: int) -> Floats:
    """Weights of a change before audit 0, 1, ... ``count - 1``; over all audits to come they sum to 1."""
    at = np.arange(count, dtype=np.float64)
    return np.asarray(_CHANGE_SCALE / ((at + _CHANGE_SCALE) * (at + _CHANGE_SCALE + 1.0)))


def _left_over(count: int) -> Floats:
    """What the weights of the changes after audit 1, 2, ... ``count`` sum to."""
    return np.asarray(_CHANGE_SCALE / (np.arange(1, count + 1) + _CHANGE_SCALE))


def wrong_since(promise: float) -> Floats:
    """Shares of wrong answers that a fall below ``promise`` may leave behind."""
    return np.unique(np.minimum((1.0 - promise) * np.asarray(_SINCE), 1.0 - promise / 2))


def _log_likelihood(right: Floats, wrong: Floats, share_wrong: Floats | float) -> Floats:
    return np.asarray(xlog1py(right, -np.asarray(share_wrong)) + xlogy(wrong, share_wrong))


def below_promise(wrong: npt.ArrayLike, promise: float) -> Floats:
    """Log e-value of "precision is below ``promise``" after each audit.

    Under any sequence of precisions that are all at least ``promise`` its exponential ever reaches
    1/a with probability at most a.

    Args:
        wrong: [n] whether each audit found the automated answer wrong, in order.
        promise: p, in (0, 1).
    """
    missed = np.asarray(wrong, dtype=bool)
    n = len(missed)
    allowed = 1.0 - promise
    since = wrong_since(promise)
    gain = np.where(missed[:, None], np.log(since / allowed), np.log((1.0 - since) / promise))
    total = np.cumsum(gain, axis=0)
    before = np.vstack([np.zeros_like(since), total[:-1]]) if n else np.zeros((0, len(since)))
    weights = (1.0 - _FROM_THE_BEGINNING) * change_weights(n)
    weights[:1] += _FROM_THE_BEGINNING
    begun = np.logaddexp.accumulate(np.log(weights)[:, None] - before, axis=0)
    played = logsumexp(total + begun, axis=1) - np.log(len(since))
    kept = np.log((1.0 - _FROM_THE_BEGINNING) * _left_over(n))
    return np.asarray(np.logaddexp(played, kept))


def fallen_below(wrong: npt.ArrayLike, promise: float, *, accepted: int, errors: int) -> tuple[Floats, Ints]:
    """Log e-value of "precision has fallen, and to below ``promise``", and since when, after each audit.

    The null is that certification labels and audits were right with one and the same probability,
    any in [promise, 1]; then the exponential ever reaches 1/a with probability at most a.

    Args:
        wrong: [n] whether each audit found the automated answer wrong, in order.
        promise: the level a fall must lead below, in (0, 1).
        accepted: certification labels at or above the threshold.
        errors: the wrong ones among them.

    Returns:
        Log e-values [n], and the likeliest first audit of the fall [n] (0 = the first).
    """
    missed = np.asarray(wrong, dtype=bool)
    n = len(missed)
    bad = np.cumsum(missed, dtype=np.float64)
    good = np.arange(1, n + 1) - bad
    allowed = 1.0 - promise
    levels = allowed * np.asarray(_BEFORE)
    # The sequence up to each audit, certification labels first, under a constant level: [n + 1].
    all_bad, all_good = errors + np.r_[0.0, bad], (accepted - errors) + np.r_[0.0, good]
    before = logsumexp(_log_likelihood(all_good[:, None], all_bad[:, None], levels), axis=1)
    before -= np.log(len(levels))
    since = wrong_since(promise)
    total = _log_likelihood(good[:, None], bad[:, None], since)
    start = np.vstack([np.zeros_like(since), total[:-1]]) if n else np.zeros((0, len(since)))
    terms = (np.log(change_weights(n)) + before[:-1])[:, None] - start
    begun = np.logaddexp.accumulate(terms, axis=0)
    changed = logsumexp(total + begun, axis=1) - np.log(len(since))
    mixture = np.logaddexp(changed, before[1:] + np.log(_left_over(n)))
    best = np.minimum(all_bad / np.maximum(all_bad + all_good, 1.0), allowed)
    constant = _log_likelihood(all_good, all_bad, best)[1:]
    return np.asarray(mixture - constant), _likeliest_start(terms, total)


def _likeliest_start(terms: Floats, total: Floats) -> Ints:
    """The audit before which the change most likely was, after each audit: [n]."""
    if not len(terms):
        return np.zeros(0, dtype=np.int64)
    peak = np.maximum.accumulate(terms, axis=0)
    rows = np.where(terms >= peak, np.arange(len(terms))[:, None], 0)
    starts = np.maximum.accumulate(rows, axis=0)
    which = np.argmax(total + peak, axis=1)
    return np.asarray(starts[np.arange(len(terms)), which])


def certified_level(accepted: int, errors: int) -> float:
    """The exact lower confidence bound of the precision that the certification labels showed."""
    if accepted <= errors:
        return 0.0
    return float(stats.beta.ppf(1.0 - BAND_CONFIDENCE, accepted - errors, errors + 1))


def alarm_raised(wrong: npt.ArrayLike, promise: float, *, accepted: int, errors: int) -> bool:
    """Whether the alarm was raised after any of the audits; the arguments are :func:`fallen_below`'s."""
    missed = np.asarray(wrong, dtype=bool)
    below = below_promise(missed, promise)
    fallen, start = fallen_below(missed, promise, accepted=accepted, errors=errors)
    return bool(_alarms(missed, promise, below, fallen, start).any())


def _alarms(missed: Bools, promise: float, below: Floats, fallen: Floats, start: Ints) -> Bools:
    """After which audits the evidence suffices, and the answers since the fall are below the promise."""
    bad = np.r_[0, np.cumsum(missed)]
    after = np.arange(1, len(missed) + 1)
    worse = bad[1:] - bad[start] > (1.0 - promise) * (after - start)
    enough = (below >= -np.log(BELOW_CHANCE)) | ((fallen >= -np.log(FALLEN_CHANCE)) & worse)
    return np.asarray(enough, dtype=bool)


def judge(wrong: npt.ArrayLike, promise: float, *, accepted: int, errors: int) -> Judgement:
    """The state of the live audit after all ``wrong``; the arguments are :func:`fallen_below`'s."""
    missed = np.asarray(wrong, dtype=bool)
    below = below_promise(missed, promise)
    fallen, start = fallen_below(missed, promise, accepted=accepted, errors=errors)
    alarms = _alarms(missed, promise, below, fallen, start)
    level = certified_level(accepted, errors)
    if level > promise:
        sunk, sunk_start = fallen_below(missed, level, accepted=accepted, errors=errors)
        watches = (sunk >= -np.log(WATCH_CHANCE)) | alarms
    else:
        sunk_start, watches = start, (fallen >= -np.log(WATCH_CHANCE)) | alarms
    alarm_at = int(np.argmax(alarms)) + 1 if alarms.any() else None
    watch_at = int(np.argmax(watches)) + 1 if watches.any() else None
    if alarm_at is not None:
        state, since = AuditState.ALARM, int(start[-1])
    elif len(watches) and watches[-1]:
        # Unlike an alarm this suspends nothing, so it goes when the audits take it back.
        state, since = AuditState.WATCH, int(sunk_start[-1])
    else:
        state, since = AuditState.OK, None
    return Judgement(state, alarm_at, watch_at, below, fallen, since)


def band(
    right: npt.ArrayLike, audits: npt.ArrayLike, confidence: float = BAND_CONFIDENCE
) -> tuple[Floats, Floats]:
    """Bounds of the average precision of the first so many audits, all valid at once: [k] and [k].

    A value m is inside while no mixture of bets against it has won 1 / (1 - confidence). The bets are
    fixed in advance, so the bounds hold for the running average of the audits' precisions also when
    these differ (the logarithm of a Bernoulli moment is concave in the mean).

    Args:
        right: [k] right answers among the first audits.
        audits: [k] how many those are, each at least 1.
        confidence: that the band holds at every audit, in (0, 1).
    """
    hits = np.asarray(right, dtype=np.float64)
    n = np.asarray(audits, dtype=np.float64)
    bar = -np.log(1.0 - confidence)
    stakes = np.r_[-_STAKES[::-1], _STAKES]

    def won(mean: Floats) -> Floats:
        growth = np.log1p(mean[:, None] * np.expm1(stakes))
        capital = logsumexp(stakes * hits[:, None] - n[:, None] * growth, axis=1)
        return np.asarray(capital - np.log(len(stakes)))

    def bound(end: float) -> Floats:
        inside, outside = hits / n, np.full(len(n), end)
        refused = won(outside) >= bar
        # The capital is convex in m and lowest near the average, so halving finds the crossing.
        for _ in range(40):
            middle = (inside + outside) / 2
            beyond = won(middle) >= bar
            inside, outside = np.where(beyond, inside, middle), np.where(beyond, middle, outside)
        return np.where(refused, outside, end)

    return bound(0.0), bound(1.0)


def enough_after_alarm(labels: int, errors: int, *, precision: float, delta: float, attempt: int) -> int:
    """How many further labels, all right, a certificate needs to end a suspension; 0: it has enough.

    The exact binomial test of "precision is under ``precision``" on the labels made after the alarm
    alone. Attempt k is made at ``delta`` / 2^k, so all attempts together pass wrongly with probability
    at most ``delta``.

    Args:
        labels: random decisions since the alarm on listings that would be automated.
        errors: the wrong ones among them.
        precision: required, in (0, 1).
        delta: allowed probability of a wrong certificate, in (0, 1).
        attempt: 1 for the first certificate after the alarm.
    """
    level = delta / 2.0**attempt

    def passes(more: int) -> bool:
        return float(stats.binom.cdf(errors, labels + more, 1.0 - precision)) <= level

    if passes(0):
        return 0
    high = 1
    while not passes(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if passes(middle) else (middle, high)
    return high
