"""Numbers that are missing, predicted from those that are there under a Gaussian.

Source: Dempster, Laird and Rubin 1977, section 4.1.3, on incomplete multivariate data.
"""

import numpy as np
from jaxtyping import Float


def gaussian(
    values: Float[np.ndarray, "n d"],
) -> tuple[Float[np.ndarray, "d"], Float[np.ndarray, "d d"]]:
    """Mean and covariance of incomplete rows, by expectation maximization.

    Ten rounds: on LSP and LSPET twenty more change no prediction visibly. The ridge is
    a thousandth of a photograph, squared: less than annotators differ.
    """
    ridge = 1e-6 * np.eye(values.shape[1])
    mean = np.nanmean(values, axis=0)
    covariance = np.diag(np.nanvar(values, axis=0)) + ridge
    for _ in range(10):
        complete, uncertainty = expect(values, mean, covariance)
        mean = complete.mean(0)
        spread = complete - mean
        covariance = (spread.T @ spread + uncertainty) / len(values) + ridge
    return mean, covariance


def expect(
    values: Float[np.ndarray, "n d"],
    mean: Float[np.ndarray, "d"],
    covariance: Float[np.ndarray, "d d"],
) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, "d d"]]:
    """Rows with nan replaced by expectations, and their summed conditional covariance."""
    complete, uncertainty = values.copy(), np.zeros_like(covariance)
    patterns, group, count = np.unique(
        np.isnan(values), axis=0, return_inverse=True, return_counts=True
    )
    order = np.argsort(group, kind="stable")
    # Rows that miss the same coordinates share one small linear system.
    for missing, rows in zip(patterns, np.split(order, np.cumsum(count)[:-1])):
        gone, seen = np.flatnonzero(missing), np.flatnonzero(~missing)
        across = covariance[np.ix_(seen, gone)]
        gain = np.linalg.solve(covariance[np.ix_(seen, seen)], across)
        given = values[np.ix_(rows, seen)] - mean[seen]
        complete[np.ix_(rows, gone)] = mean[gone] + given @ gain
        rest = covariance[np.ix_(gone, gone)] - across.T @ gain
        uncertainty[np.ix_(gone, gone)] += len(rows) * rest
    return complete, uncertainty
