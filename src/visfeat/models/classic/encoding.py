"""From any number of local descriptors to one vector: words, VLAD and Fisher vectors, by their formulas.

No descriptors give a vector of zeros. Sums run in float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Words:
    """A vocabulary of words: the centers of k-means ``(K, D)``, and the weight of each word ``(K,)``."""

    centers: Doubles
    idf: Doubles

    def __call__(self, descriptors: Floats) -> Floats:
        """Bag of words (Sivic and Zisserman, Video Google, ICCV 2003): float32 ``(K,)`` of unit length.

        ``n_k / n * idf_k``, where n_k of the n descriptors are nearest to center k.
        """
        counts = np.bincount(nearest(descriptors, self.centers), minlength=len(self.centers))
        return _unit(counts / max(1, len(descriptors)) * self.idf)


@dataclass(frozen=True)
class Residuals:
    """The centers of k-means ``(K, D)`` for VLAD."""

    centers: Doubles

    def __call__(self, descriptors: Floats) -> Floats:
        """VLAD (Jegou, Douze, Schmid and Perez, CVPR 2010): float32 ``(K * D,)`` of unit length.

        ``sum of (x - c_k)`` over the descriptors nearest to center k, center after center; then signed square roots,
        as in Jegou et al., TPAMI 2012.
        """
        values = descriptors.astype(np.float64)
        belongs = np.zeros((len(self.centers), len(values)))
        belongs[nearest(descriptors, self.centers), np.arange(len(values))] = 1
        sums = belongs @ values - belongs.sum(axis=1, keepdims=True) * self.centers
        return _unit(_signed_root(sums.ravel()))


@dataclass(frozen=True)
class Mixture:
    """A mixture of K Gaussians with diagonal covariances, over descriptors projected to D dimensions.

    ``mean (128,)`` and ``basis (D, 128)`` project: ``(x - mean) @ basis.T``. ``weights (K,)`` add up to 1, ``means``
    and ``sigmas`` (standard deviations) are ``(K, D)``.
    """

    mean: Doubles
    basis: Doubles
    weights: Doubles
    means: Doubles
    sigmas: Doubles

    def __call__(self, descriptors: Floats) -> Floats:
        """The improved Fisher vector (Perronnin, Sanchez and Mensink, ECCV 2010): float32 ``(2 * K * D,)``.

        ``fisher`` after signed square roots, of unit length.
        """
        return _unit(_signed_root(self.fisher((descriptors - self.mean) @ self.basis.T)))

    def fisher(self, values: Doubles) -> Doubles:
        """Projected descriptors ``(N, D)`` -> float64 ``(2 * K * D,)``: by means, then by standard deviations.

        The gradient of the mean log-likelihood, divided by the square root of the Fisher information's diagonal:
        ``mean of g_k (x - mu_k) / s_k / sqrt(w_k)`` and ``mean of g_k ((x - mu_k)^2 / s_k^2 - 1) / sqrt(2 w_k)``,
        where g_k is the probability that Gaussian k made x.
        """
        if not len(values):
            return np.zeros(2 * self.means.size)
        shares = self.posteriors(values)
        mass = shares.sum(axis=0)[:, None]
        first, second = shares.T @ values, shares.T @ np.square(values)
        scale = len(values) * np.sqrt(self.weights)[:, None]
        by_mean = (first - self.means * mass) / (self.sigmas * scale)
        spread = second - 2 * self.means * first + (np.square(self.means) - np.square(self.sigmas)) * mass
        by_sigma = spread / (np.square(self.sigmas) * scale * np.sqrt(2))
        return np.concatenate([by_mean.ravel(), by_sigma.ravel()])

    def posteriors(self, values: Doubles) -> Doubles:
        """How probably each Gaussian made each of the values ``(N, D)``: ``(N, K)``, rows that add up to 1."""
        joint = self.joint(values)
        shares = np.exp(joint - joint.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))

    def joint(self, values: Doubles) -> Doubles:
        """The logarithm of ``w_k N(x; mu_k, s_k)`` for each of the values: ``(N, K)``."""
        precise = 1 / np.square(self.sigmas)
        squared = np.square(values) @ precise.T - 2 * values @ (self.means * precise).T
        squared += (np.square(self.means) * precise).sum(axis=1)
        constant = np.log(self.weights) - np.log(self.sigmas).sum(axis=1) - values.shape[1] / 2 * np.log(2 * np.pi)
        return np.asarray(constant - squared / 2)


def nearest(descriptors: Floats, centers: Doubles) -> NDArray[np.intp]:
    """The index of the nearest center, by Euclidean distance, of each descriptor; of equal ones the first."""
    # |x|^2 is the same for all centers.
    distances = np.square(centers).sum(axis=1) - 2 * descriptors.astype(np.float64) @ centers.T
    return np.asarray(np.argmin(distances, axis=1))


def _signed_root(values: Doubles) -> Doubles:
    return np.sign(values) * np.sqrt(np.abs(values))


def _unit(values: Doubles) -> Floats:
    """Of unit length; zeros stay zeros."""
    norm = np.linalg.norm(values)
    return (values / norm if norm > 0 else values).astype(np.float32)
