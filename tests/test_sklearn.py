"""FeatureExtractor in scikit-learn: its own estimator checks, and that it is the Extractor with another face."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from media_made import encoded, photo
from visfeat.errors import MediaError, UsageError
from visfeat.extraction.extractor import Extractor
from visfeat.sklearn import FeatureExtractor

MODEL = "classic/color_histogram"

CANNOT_APPLY = {
    # Only where the environment sets SCIPY_ARRAY_API: pictures are NumPy arrays, and so are features.
    "check_array_api_input",
}


@parametrize_with_checks([FeatureExtractor(MODEL)])
def test_scikit_learns_own_checks(estimator, check):
    if getattr(check, "func", check).__name__ in CANNOT_APPLY:
        pytest.skip("arrays of other libraries than NumPy")
    with warnings.catch_warnings():
        # The checks' own business: data of one sample, NumPy's deprecations.
        warnings.simplefilter("ignore")
        check(estimator)


@pytest.fixture
def paths(tmp_path):
    for n in range(6):
        (tmp_path / f"{n}.jpg").write_bytes(encoded(photo(seed=n), "JPEG"))
    return [tmp_path / f"{n}.jpg" for n in range(6)]


def test_every_way_of_giving_pictures_is_the_extractors(paths):
    expected = Extractor("bundled/efficientnet_lite0")(paths)
    found = FeatureExtractor().fit(paths)
    assert found.recipe_digest_ == Extractor("bundled/efficientnet_lite0").recipe.digest
    assert (found.transform(paths) == expected).all()
    texts = np.array([str(path) for path in paths])
    for given in (texts, texts.astype(object), texts[:, None], pd.Series(texts), pd.DataFrame({"path": texts})):
        assert (found.transform(given) == expected).all()
    images = [Image.open(path).convert("RGB") for path in paths]
    arrays = [np.asarray(image) for image in images]
    for given in (images, arrays, np.stack(arrays)):
        np.testing.assert_allclose(found.transform(given), Extractor("bundled/efficientnet_lite0")(arrays))


def test_layers_stand_side_by_side_and_have_names(paths):
    layers = ("blocks.0.0", "global_pool")
    found = FeatureExtractor(layers=layers).fit(paths[:1])
    by_layer = Extractor("bundled/efficientnet_lite0", layers=layers)(paths)
    assert (found.transform(paths) == np.concatenate([by_layer[name] for name in layers], axis=1)).all()
    names = found.get_feature_names_out()
    assert (names[0], names[-1], len(names)) == ("blocks.0.0_0", "global_pool_1279", found.n_features_out_)
    frame = found.set_output(transform="pandas").transform(paths[:2])
    assert list(frame.columns) == list(names)


def test_tables_of_numbers_are_pictures_a_row():
    digits = load_digits().data[:20]
    found = FeatureExtractor(MODEL).fit(digits)
    assert found.value_range_ == (0.0, 16.0)
    bytes_ = np.round(digits / 16 * 255).astype(np.uint8).reshape(-1, 8, 8)
    assert (found.transform(digits) == Extractor(MODEL)(list(bytes_))).all()
    wide = FeatureExtractor(MODEL, picture_shape=(4, 16), value_range=(0, 16)).fit(digits)
    assert (wide.transform(digits) == Extractor(MODEL)(list(bytes_.reshape(-1, 4, 16)))).all()
    # Seven numbers: a square of nine whose last two are black.
    rows = np.full((1, 7), 255, np.uint8)
    square = np.pad(rows, ((0, 0), (0, 2))).reshape(3, 3)
    assert (FeatureExtractor(MODEL).fit_transform(rows) == Extractor(MODEL)([square])).all()


def test_a_pipeline_learns_and_its_options_are_searched():
    digits = load_digits(n_class=3)
    x, y = digits.data[:90], digits.target[:90]
    pipeline = make_pipeline(FeatureExtractor(), LogisticRegression(max_iter=500))
    assert pipeline.fit(x[:60], y[:60]).score(x[60:], y[60:]) > 0.9
    search = GridSearchCV(
        make_pipeline(FeatureExtractor(MODEL), LogisticRegression(max_iter=500)),
        {"featureextractor__options": [{"fit": "squash"}, {"fit": "pad"}]},
        cv=2,
    )
    assert search.fit(x[:30], y[:30]).best_params_["featureextractor__options"]["fit"] in ("squash", "pad")


def test_a_column_of_paths_among_others(paths):
    frame = pd.DataFrame({"path": [str(path) for path in paths], "weight": range(6)})
    both = ColumnTransformer([("picture", FeatureExtractor(MODEL), ["path"]), ("rest", "passthrough", ["weight"])])
    found = both.fit_transform(frame)
    assert (found[:, :-1] == Extractor(MODEL)(paths)).all()
    assert found[:, -1].tolist() == list(range(6))


def test_clones_and_pickles(paths):
    found = FeatureExtractor(MODEL, options={"normalize": True}).fit(paths)
    again = pickle.loads(pickle.dumps(found))
    assert (again.transform(paths) == found.transform(paths)).all()
    assert clone(found).get_params() == found.get_params()
    with pytest.raises(NotFittedError):
        clone(found).transform(paths)


def test_what_is_no_picture(paths, tmp_path):
    found = FeatureExtractor(MODEL).fit(paths)
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    with pytest.raises(MediaError, match="broken.jpg"):
        found.transform([tmp_path / "broken.jpg"])
    with pytest.raises(UsageError, match="a list of pictures"):
        found.transform(str(paths[0]))
    with pytest.raises(ValueError, match="NaN"):
        FeatureExtractor(MODEL).fit(np.full((2, 3, 3), np.nan))
    with pytest.raises(UsageError, match="picture_shape"):
        FeatureExtractor(MODEL, picture_shape=(3, 3)).fit(np.zeros((2, 8)))
    with pytest.raises(UsageError, match="value_range"):
        FeatureExtractor(MODEL, value_range=(1, 1)).fit(np.zeros((2, 9)))
