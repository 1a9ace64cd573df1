"""FeatureExtractor: features of pictures as a step of a scikit-learn Pipeline.

>>> from sklearn.linear_model import LogisticRegression                          # doctest: +SKIP
>>> from sklearn.pipeline import make_pipeline                                   # doctest: +SKIP
>>> from visfeat.sklearn import FeatureExtractor                                 # doctest: +SKIP
>>> make_pipeline(FeatureExtractor(), LogisticRegression()).fit(paths, labels)   # doctest: +SKIP
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from visfeat.errors import MissingExtra, ModelError, UsageError
from visfeat.extraction.extractor import Extractor, Picture
from visfeat.recipe import DEFAULT_MODEL

try:
    from sklearn.base import BaseEstimator, TransformerMixin
    from sklearn.utils.validation import check_array, check_is_fitted, validate_data
except ModuleNotFoundError:
    raise MissingExtra("visfeat.sklearn (scikit-learn)", extra="use") from None

_PICTURES = (str, os.PathLike, Image.Image)


class FeatureExtractor(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """A transformer from pictures to a float32 (float16 where an option says so) array ``(N, D)``.

    ``X`` may be a list, an array or a column of paths, PIL images and uint8 arrays ``(H, W, 3)`` or ``(H, W)``; an
    array of pictures ``(N, H, W)`` or ``(N, H, W, 3)``; or a table of numbers ``(N, pixels)``, a picture a row, as
    scikit-learn's data sets have them. Of a video the first frame is taken. Features of several layers stand side by
    side.

    Parameters: ``model``, ``layers``: as for ``visfeat.extract``. ``options``: further fields of a Recipe, such as
    ``{"fit": "squash"}``. ``picture_shape``: height and width (and 3) of the pictures of a table; None is a square, the
    smallest that holds the row, what is left over being black. ``value_range``: the numbers that stand for black and
    white in arrays that are not uint8; None takes the least and the largest that ``fit`` sees.

    ``fit`` learns nothing else. Attributes after it: ``recipe_digest_``, ``n_features_out_``, ``value_range_``, and
    ``n_features_in_`` where a table was given. A pickled extractor loads its model anew.
    """

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        *,
        layers: Sequence[str] | None = None,
        options: Mapping[str, Any] | None = None,
        picture_shape: tuple[int, ...] | None = None,
        value_range: tuple[float, float] | None = None,
    ) -> None:
        self.model = model
        self.layers = layers
        self.options = options
        self.picture_shape = picture_shape
        self.value_range = value_range

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: N803, ARG002 (scikit-learn's names)
        """Load the model and try it on the first picture; raises as ``Extractor`` and scikit-learn do."""
        self._extractor = self._made()
        self.recipe_digest_ = self._extractor.recipe.digest
        given = self._given(X, reset=True)
        self.value_range_ = self._range(given)
        first = self._features(self._pictures(given[:1]))
        self._names = [f"{layer}_{n}" for layer, values in first.items() for n in range(values.shape[1])]
        self.n_features_out_ = len(self._names)
        return self

    def transform(self, X: Any) -> NDArray[np.floating[Any]]:  # noqa: N803
        """Features ``(N, D)``; raises MediaError that names the picture which cannot be read."""
        check_is_fitted(self)
        features = self._features(self._pictures(self._given(X, reset=False)))
        return np.concatenate(list(features.values()), axis=1)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:  # noqa: ARG002
        """``LAYER_0``, ``LAYER_1``, ...; what goes in has no say in it."""
        check_is_fitted(self)
        return np.array(self._names, object)

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn is told: paths and arrays of pictures are welcome, and any numbers come out as float32."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string = tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    def __getstate__(self) -> dict[str, Any]:
        """Without the compiled network, which cannot be pickled."""
        return {name: value for name, value in super().__getstate__().items() if name != "_extractor"}

    def _made(self) -> Extractor:
        layers = None if self.layers is None else tuple(self.layers)
        return Extractor(self.model, layers=layers, **(self.options or {}))

    def _features(self, pictures: Sequence[Picture]) -> dict[str, NDArray[np.floating[Any]]]:
        """Layer -> ``(N, D)``; maps and tokens are flattened."""
        if not hasattr(self, "_extractor"):
            self._extractor = self._made()
            if self._extractor.recipe.digest != self.recipe_digest_:
                raise ModelError(f"{self.model}: is no longer the model that this extractor was fitted with")
        found = self._extractor(pictures)
        layers = self._extractor.recipe.layers or ()
        by_layer = found if isinstance(found, dict) else {layers[0]: found}
        return {layer: values.reshape(len(values), -1) for layer, values in by_layer.items()}

    def _given(self, X: Any, *, reset: bool) -> Any:  # noqa: N803
        """A list of pictures, or an array of numbers of two to four axes; raises what scikit-learn raises otherwise."""
        pictures = _as_pictures(X)
        if pictures is not None:
            return pictures
        if getattr(X, "ndim", 2) in (3, 4):
            return check_array(X, allow_nd=True)
        return validate_data(self, X, reset=reset)

    def _range(self, given: Any) -> tuple[float, float]:
        if self.value_range is not None:
            low, high = self.value_range
            if not low < high:
                raise UsageError(f"value_range {self.value_range}: the second number must be larger")
            return float(low), float(high)
        if isinstance(given, list) or given.dtype == np.uint8:
            return 0.0, 255.0
        return float(given.min()), float(given.max())

    def _pictures(self, given: Any) -> Sequence[Picture]:
        """What was given, as pictures: numbers become bytes by the range, rows become squares."""
        if isinstance(given, list):
            return given
        if given.dtype != np.uint8 or self.value_range is not None:
            low, high = self.value_range_
            scaled = (np.asarray(given, np.float64) - low) * (255 / (high - low) if high > low else 0.0)
            given = np.clip(scaled.round(), 0, 255).astype(np.uint8)
        return list(given if given.ndim > 2 else self._squares(given))

    def _squares(self, rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self.picture_shape is not None:
            if math.prod(self.picture_shape) != rows.shape[1]:
                raise UsageError(f"picture_shape {self.picture_shape}: a row of X has {rows.shape[1]} numbers")
            return rows.reshape(-1, *self.picture_shape)
        side = math.isqrt(rows.shape[1] - 1) + 1
        return np.pad(rows, ((0, 0), (0, side * side - rows.shape[1]))).reshape(-1, side, side)


def _as_pictures(given: Any) -> list[Picture] | None:
    """A list of pictures where these are paths, images or arrays of their own; None where it is an array of numbers."""
    if isinstance(given, _PICTURES):
        raise UsageError("FeatureExtractor takes a list of pictures: [path], not path")
    values = given
    if hasattr(given, "dtypes") and hasattr(given, "to_numpy"):  # a data frame or a series
        values = given.to_numpy()
    if isinstance(values, np.ndarray):
        if values.dtype.kind not in "OU" or values.size == 0 or values.ndim > 2:
            return None
        # A table of one column of paths, as a ColumnTransformer hands it over.
        values = values.ravel() if values.ndim == 1 or values.shape[1] == 1 else ()
    elif not isinstance(values, list | tuple):
        return None
    if not len(values) or not all(_is_picture(one) for one in values):
        return None
    return [str(one) if isinstance(one, np.str_) else one for one in values]


def _is_picture(value: Any) -> bool:
    return isinstance(value, _PICTURES) or (isinstance(value, np.ndarray) and value.ndim >= 2)
