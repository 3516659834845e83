"""How rare a pose is: PCA, kernel density, and loss weights from both.

Everything here is numpy and scikit-learn over a whole training set, once, on the host.

What a weight should follow is the pose. Over the 9000 training people of LSP (1000) and
LSPET (8000 of 10000), `python -m benchmarks.rarity --data ../shared/data` gives

                                                               original   here
    correlation of log weight with number of missing keypoints    +0.72  +0.20
    log weight of 2000 complete people after losing keypoints
        mean change                                               +0.23  -0.00
        standard deviation of the change                           0.24   0.04
        correlation of the change with the number lost            +0.78  -0.10
    standard deviation of log weight                               0.33   0.27

so the original weighs missing keypoints, while here losing them leaves a weight where
it was: the +0.20 that remains is that people in rare poses hide more of themselves.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import threadpoolctl
from jaxtyping import Bool, Float, Int
from scipy import optimize
from sklearn import decomposition, neighbors

from jaxpose import imputation
from jaxpose.types import Annotations

Features = Callable[[np.ndarray, np.ndarray, np.ndarray, int], np.ndarray]


def pose_features(
    keypoints: Float[np.ndarray, "n k 2"],
    labeled: Bool[np.ndarray, "n k"],
    size: Int[np.ndarray, "n 2"],
    train: int,
) -> Float[np.ndarray, "n d"]:
    """Poses without place and scale; missing keypoints are predicted from the others.

    Missing coordinates become their expectation given the person's others, under a
    Gaussian of the first `train` people, relative to the photograph. The complete
    pose is then centred and divided by its Euclidean norm, in pixels, so that a weight
    cares neither where the photographer put the person nor how large. Keypoints that no
    training person has are left out. A person with no other labeled is nan; one whose
    keypoints coincide is 0.

    Source: Kendall's pre-shapes; rotation stays, since upside down is rare.
    """
    used = np.any(labeled[:train], axis=0)
    known = np.any(labeled[:, used], axis=1)
    width_height = size[:, None, ::-1]
    relative = np.where(labeled[..., None], keypoints / width_height, np.nan)
    relative = relative[:, used].reshape(len(keypoints), -1)
    mean, covariance = imputation.gaussian(relative[:train][known[:train]])
    relative[known], _ = imputation.expect(relative[known], mean, covariance)
    poses = relative.reshape(len(keypoints), -1, 2) * width_height
    poses = (poses - poses.mean(1, keepdims=True)).reshape(len(keypoints), -1)
    norm = np.linalg.norm(poses, axis=1, keepdims=True)
    return poses / np.maximum(norm, 1e-9)


def original_features(
    keypoints: Float[np.ndarray, "n k 2"],
    labeled: Bool[np.ndarray, "n k"],
    size: Int[np.ndarray, "n 2"],
    train: int,
) -> Float[np.ndarray, "n d"]:
    """Coordinates relative to the photograph; missing and outside ones become 0.

    The original divides 1-based coordinates by the size and zeroes each on its own;
    `records.Split(offset=0.5)` makes these shares the same numbers. It never looks at
    visibility; its unlabeled keypoints lie outside, so that zeroing unlabeled ones
    gives the same on LSP and LSPET.

    Source: WeightedLoss DeepPose; depends on no other person, so `train` is unused.
    """
    relative = (keypoints + 0.5) / size[:, None, ::-1]
    inside = (relative >= 0) & (relative < 1) & labeled[..., None]
    return np.where(inside, relative, 0).reshape(len(keypoints), -1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rarity:
    """Loss weights of training poses, and log densities of any poses under them.

    Attributes:
        features: what a pose is, as numbers whose distance means dissimilarity.
        components: principal components kept.
        bandwidth: of the exponential kernel, in units of the features. Norms of
            `pose_features` are 1; 0.6 spreads log weights there (standard deviation
            0.27) about as for the original's features (0.33).
        bounds: smallest and largest weight; weights then have mean 1. None leaves
            median density / density as it is, as the original does.

    Raises: ValueError if a number is out of its range.
    """

    features: Features = pose_features
    components: int = 10
    bandwidth: float = 0.6
    bounds: tuple[float, float] | None = (0.5, 2.0)

    def __post_init__(self) -> None:
        if self.components < 1 or not self.bandwidth > 0:
            raise ValueError(f"{self}: components and bandwidth must be positive")
        if self.bounds and not 0 < self.bounds[0] < 1 < self.bounds[1] < np.inf:
            raise ValueError(
                f"bounds={self.bounds} must be finite, positive and enclose the mean "
                "weight, 1; bounds=None neither bounds nor normalizes"
            )

    def __call__(
        self,
        keypoints: Float[np.ndarray, "n k 2"],
        visibility: Int[np.ndarray, "n k"],
        size: Int[np.ndarray, "n 2"],
    ) -> Float[np.ndarray, "n"]:
        """Loss weights of the people of a training set, float32.

        Keypoints are in source pixels, 0-based; sizes are (height, width) in pixels.
        A person with nothing labeled weighs 1 and counts for nothing.

        Raises: ValueError naming the record if a labeled keypoint is not finite or an
            image is empty, and if there are fewer poses than components.
        """
        n = len(keypoints)
        # Small matrices: on a busy machine BLAS's threads mostly wait for each other.
        with threadpoolctl.threadpool_limits(1):
            features = self._features(keypoints, visibility, size, n)
            return weights(self._density(features, features), self.bounds)

    def log_density(
        self, train: Annotations, query: Annotations
    ) -> Float[np.ndarray, "m p"]:
        """Log density of the query's poses, fitted on the training poses.

        Low is rare. A training pose that is also queried counts itself. A person with
        nothing labeled is nan.

        Raises: ValueError as for weights, counting people over all photographs, those
            of the query after those of training; also if a size is missing.
        """
        pairs = zip(_people(train), _people(query), strict=True)
        keypoints, visibility, size = (np.concatenate(pair) for pair in pairs)
        n = train.visibility[..., 0].size
        features = self._features(keypoints, visibility, size, n)
        density = self._density(features[:n], features[n:])
        return density.reshape(query.keypoints.shape[:2])

    def _features(self, keypoints, visibility, size, train: int) -> np.ndarray:
        labeled = visibility > 0
        _require(np.isfinite(keypoints).all(-1) | ~labeled, keypoints, "be finite")
        _require(size > 0, size, "be positive (height, width)")
        if not labeled[:train].any():
            raise ValueError(f"{train} training poses without one labeled keypoint")
        features = self.features(keypoints.astype(np.float64), labeled, size, train)
        return np.where(np.any(labeled, axis=1, keepdims=True), features, np.nan)

    def _density(self, fitted: np.ndarray, queried: np.ndarray) -> np.ndarray:
        known = np.isfinite(queried).all(1)
        density = np.full(len(queried), np.nan)
        density[known] = kernel_log_density(
            fitted[np.isfinite(fitted).all(1)],
            queried[known],
            components=self.components,
            bandwidth=self.bandwidth,
        )
        return density


def original(*, bandwidth: float = 0.6) -> Rarity:
    """Weights as in WeightedLoss DeepPose, whose command line sets the bandwidth.

    They follow missing keypoints and, without mean 1, change the learning rate.
    """
    return Rarity(features=original_features, bandwidth=bandwidth, bounds=None)


def kernel_log_density(
    fitted: Float[np.ndarray, "m d"],
    queried: Float[np.ndarray, "n d"],
    *,
    components: int,
    bandwidth: float,
) -> Float[np.ndarray, "n"]:
    """Log density under exponential kernels on principal components, without shortcuts.

    Takes time m x n (11,000 poses against themselves: 3 s on one core) and memory m + n.

    Raises: ValueError if there are fewer poses or coordinates than components.
    """
    if components > min(fitted.shape):
        raise ValueError(
            f"components={components} of {fitted.shape[0]} poses with "
            f"{fitted.shape[1]} coordinates; keep at most the smaller number"
        )
    pca = decomposition.PCA(components, svd_solver="full").fit(fitted)
    # Nothing can be pruned in an exact sum: large leaves save a third of the time.
    density = neighbors.KernelDensity(
        kernel="exponential", bandwidth=bandwidth, leaf_size=400
    ).fit(pca.transform(fitted))
    if len(queried) == 0:
        return np.zeros(0)
    return density.score_samples(pca.transform(queried))


def weights(
    log_density: Float[np.ndarray, "n"], bounds: tuple[float, float] | None
) -> Float[np.ndarray, "n"]:
    """Weights inversely proportional to density, float32; nan densities give 1.

    Without bounds a weight is median density / density. With bounds the factor is not
    the median but the one that makes the mean of the bounded weights 1.
    """
    result = np.ones(len(log_density), np.float32)
    known = np.isfinite(log_density)
    rarity = -log_density[known]
    if bounds is None:
        middle = np.sort(rarity)[[(len(rarity) - 1) // 2, len(rarity) // 2]]
        log_median = np.logaddexp(*-middle) - np.log(2)
        result[known] = np.exp(rarity + log_median)
        return result
    low, high = np.log(bounds)

    def bounded(shift: float) -> np.ndarray:
        return np.exp(np.clip(rarity + shift, low, high))

    # All weights are at the lower bound at one end and at the upper at the other.
    shift = optimize.brentq(
        lambda shift: bounded(shift).mean() - 1,
        low - rarity.max(),
        high - rarity.min(),
        xtol=1e-12,
    )
    result[known] = bounded(shift)
    return result


def _people(annotations: Annotations) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Keypoints, visibility and photograph size of every person of every photograph."""
    if annotations.size is None:
        raise ValueError("size=None; poses need the sizes of their photographs")
    _, people, k, _ = annotations.keypoints.shape
    return (
        annotations.keypoints.reshape(-1, k, 2),
        annotations.visibility.reshape(-1, k),
        np.repeat(annotations.size, people, axis=0),
    )


def _require(fine: np.ndarray, values: np.ndarray, rule: str) -> None:
    if not fine.all():
        record = int(np.flatnonzero(~fine.all(1))[0])
        raise ValueError(
            f"record {record} has {values[record].tolist()}, which must {rule}; "
            "correct the annotation or leave the record out"
        )
