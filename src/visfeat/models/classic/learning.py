"""Learning the vocabulary of a model of SIFT from descriptors of one's own pictures, by scikit-learn."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.errors import MissingExtra, UsageError
from visfeat.models.classic.encoding import Doubles, Floats, nearest
from visfeat.models.classic.vocabulary import Vocabulary

DEFAULT_WORDS = {"sift_bow": 256, "sift_vlad": 64, "sift_fisher": 64}
"""Model -> how many words, centers or Gaussians, unless said otherwise."""
FISHER_DIMENSIONS = 64
"""To which principal components reduce the descriptors, as in Perronnin et al. 2010."""
_ROUNDS = 50
_LEAST_VARIANCE = 1e-5

_Learned = dict[str, NDArray[np.floating[Any]]]


def learn_vocabulary(
    model: str, drawn: Mapping[str, Sequence[Floats]], *, words: int, seed: int, notes: Mapping[str, str]
) -> Vocabulary:
    """Learn from the descriptors ``(n, 128)`` of each picture, for each layer; the same seed gives the same numbers.

    Raises UsageError where there are too few descriptors, MissingExtra without scikit-learn.
    """
    try:
        import sklearn  # noqa: F401 - said before anything is computed
    except ModuleNotFoundError:
        raise MissingExtra("learning a vocabulary (scikit-learn)", extra="use") from None
    arrays: _Learned = {}
    for layer, by_picture in drawn.items():
        different = len({row.tobytes() for descriptors in by_picture for row in descriptors})
        if different < words:
            raise UsageError(
                f"--words {words}: the pictures have {different} different descriptors ({layer}), too few for so many "
                "words; name more pictures, or say fewer words"
            )
        learned = _LEARN[model](by_picture, words, seed)
        arrays |= {f"{layer}.{name}": value for name, value in learned.items()}
    return Vocabulary(model, arrays, notes)


def _learn_words(by_picture: Sequence[Floats], words: int, seed: int) -> _Learned:
    """Centers, and weights by how few pictures have a word: ``log((1 + N) / (1 + N_k)) + 1``.

    Sivic and Zisserman's ``log(N / N_k)`` would drop a word that all pictures have.
    """
    centers = _centers(np.concatenate(by_picture), words, seed)
    having = np.zeros(words)
    for descriptors in by_picture:
        having[np.unique(nearest(descriptors, centers.astype(np.float64)))] += 1
    idf = np.log((1 + len(by_picture)) / (1 + having)) + 1
    return {"centers": centers, "idf": idf.astype(np.float32)}


def _learn_residuals(by_picture: Sequence[Floats], words: int, seed: int) -> _Learned:
    return {"centers": _centers(np.concatenate(by_picture), words, seed)}


def _centers(descriptors: Floats, words: int, seed: int) -> NDArray[np.float16]:
    """The centers of k-means; in half precision, which is finer than what a descriptor's own bytes can say."""
    from sklearn.cluster import KMeans

    with _one_thread():
        found = KMeans(words, n_init=1, max_iter=_ROUNDS, random_state=seed).fit(descriptors)
    return np.asarray(found.cluster_centers_, dtype=np.float16)


def _learn_mixture(by_picture: Sequence[Floats], words: int, seed: int) -> _Learned:
    """Principal components, then the Gaussians by expectation and maximization from the clusters of k-means."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    descriptors = np.concatenate(by_picture).astype(np.float64)
    mean = descriptors.mean(axis=0).astype(np.float16)
    centered = descriptors - mean.astype(np.float64)
    basis = _principal(centered, FISHER_DIMENSIONS).astype(np.float16)
    values = centered @ basis.T.astype(np.float64)
    mixture = GaussianMixture(
        words, covariance_type="diag", reg_covar=_LEAST_VARIANCE, max_iter=_ROUNDS, random_state=seed
    )
    with _one_thread(), warnings.catch_warnings():
        # After so many rounds what still moves is of no account.
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture.fit(values)
    return {
        "mean": mean,
        "basis": basis,
        "weights": mixture.weights_.astype(np.float32),
        "means": mixture.means_.astype(np.float16),
        "sigmas": np.sqrt(mixture.covariances_).astype(np.float32),
    }


def _principal(centered: Doubles, count: int) -> Doubles:
    """The directions ``(count, D)`` of the largest variance, each with its largest part positive."""
    _, directions = np.linalg.eigh(centered.T @ centered)
    chosen = directions[:, ::-1][:, :count].T
    largest = np.take_along_axis(chosen, np.abs(chosen).argmax(axis=1)[:, None], axis=1)
    return np.asarray(chosen * np.sign(largest))


def _one_thread() -> AbstractContextManager[Any]:
    """Sums of several threads come out in another order each time."""
    from threadpoolctl import threadpool_limits  # comes with scikit-learn

    limits: AbstractContextManager[Any] = threadpool_limits(1)
    return limits


_LEARN = {"sift_bow": _learn_words, "sift_vlad": _learn_residuals, "sift_fisher": _learn_mixture}
