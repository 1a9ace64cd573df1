"""SIFT on a grid and at keypoints, its vocabularies, and the three ways of making one vector of it."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from safetensors.numpy import save_file
from sklearn import mixture as sklearn_mixture

import visfeat as vf
from media_made import encoded, photo, write_video
from visfeat.cli.main import main
from visfeat.errors import ModelError, UnknownModel, UsageError
from visfeat.extraction.learn_words import learn_words
from visfeat.models.classic.encoding import Mixture, Residuals, Words
from visfeat.models.classic.grey import grey_of
from visfeat.models.classic.learning import learn_vocabulary
from visfeat.models.classic.sift import centers_px, grid_descriptors, keypoint_descriptors
from visfeat.models.classic.source import ClassicModels
from visfeat.models.classic.vocabulary import bundled_path, load_vocabulary
from visfeat.models.registry import load_model
from visfeat.testing import ModelSourceSuite

MODELS = ("sift_bow", "sift_fisher", "sift_vlad")


class TestWordsAsModel(ModelSourceSuite):
    model = "sift_bow"

    def source(self):
        return ClassicModels()


class TestFisherAsModel(TestWordsAsModel):
    model = "sift_fisher"


def rooted(found):
    return np.sqrt(found / found.sum(axis=1, keepdims=True))


def test_the_grid_is_opencv_at_each_point_that_shows_something():
    grey = grey_of(photo(96, 80)).copy()
    grey[:40, :40] = 7
    points = []
    for side in (16, 32):
        for y in range(side // 2, 96 - side // 2 + 1, 8):
            for x in range(side // 2, 80 - side // 2 + 1, 8):
                half = side // 2
                if grey[y - half : y + half, x - half : x + half].std() >= 2:
                    points.append(cv2.KeyPoint(x, y, side / 6, 0))
    _, theirs = cv2.SIFT_create().compute(grey, points)
    assert len(points) < sum(len(centers_px((96, 80), side)[0]) for side in (16, 32))
    assert np.allclose(grid_descriptors(grey), rooted(theirs), atol=1e-6)


def test_keypoints_are_those_of_opencv():
    grey = grey_of(photo(200, 200))
    _, theirs = cv2.SIFT_create(nfeatures=500).detectAndCompute(grey, None)
    found = keypoint_descriptors(grey)
    assert len(found) > 5
    assert np.allclose(found, rooted(theirs), atol=1e-6)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("model", MODELS)
def test_a_blank_picture_gives_zeros(model):
    functions = load_model(f"classic/{model}").functions
    blank = np.full((1, 256, 256, 3), 128, np.uint8)
    assert [np.count_nonzero(compute(blank)) for compute in functions.values()] == [0, 0]


def drawn(count=60, width=6, seed=0):
    return np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)


def nearest_by_loop(descriptors, centers):
    return [int(np.argmin([np.linalg.norm(one - center) for center in centers])) for one in descriptors]


def test_words_are_counted_as_the_formula_says():
    descriptors, centers, idf = drawn(), drawn(5, seed=1).astype(float), np.array([1.0, 2, 3, 4, 5])
    wanted = np.zeros(5)
    for word in nearest_by_loop(descriptors, centers):
        wanted[word] += idf[word] / len(descriptors)
    assert np.allclose(Words(centers, idf)(descriptors), wanted / np.linalg.norm(wanted), atol=1e-6)


def test_vlad_is_as_the_formula_says():
    descriptors, centers = drawn(), drawn(4, seed=1).astype(float)
    wanted = np.zeros((4, 6))
    for one, center in zip(descriptors, nearest_by_loop(descriptors, centers), strict=True):
        wanted[center] += one - centers[center]
    wanted = np.sign(wanted) * np.sqrt(np.abs(wanted))
    found = Residuals(centers)(descriptors)
    assert np.allclose(found, wanted.ravel() / np.linalg.norm(wanted), atol=1e-6)


def a_mixture(gaussians=3, width=4):
    random = np.random.default_rng(5)
    weights = random.uniform(0.5, 1, gaussians)
    return Mixture(
        mean=random.normal(size=6),
        basis=np.linalg.qr(random.normal(size=(6, 6)))[0][:width],
        weights=weights / weights.sum(),
        means=random.normal(size=(gaussians, width)),
        sigmas=random.uniform(0.5, 1.5, (gaussians, width)),
    )


def mean_log_likelihood(values, weights, means, sigmas):
    """Of a mixture of Gaussians with diagonal covariances, density by density."""
    total = 0.0
    for value in values:
        densities = [
            weight * np.prod(np.exp(-(((value - mean) / sigma) ** 2) / 2) / (sigma * np.sqrt(2 * np.pi)))
            for weight, mean, sigma in zip(weights, means, sigmas, strict=True)
        ]
        total += np.log(sum(densities))
    return total / len(values)


def test_the_fisher_vector_is_the_gradient_of_the_log_likelihood():
    mixture, values, step = a_mixture(), drawn(40, 4).astype(float), 1e-5
    found = mixture.fisher(values).reshape(2, *mixture.means.shape)
    for k, d in np.ndindex(*mixture.means.shape):
        moved = np.zeros_like(mixture.means)
        moved[k, d] = step
        by_mean, by_sigma = (
            (
                mean_log_likelihood(values, mixture.weights, mixture.means + a * moved, mixture.sigmas + b * moved)
                - mean_log_likelihood(values, mixture.weights, mixture.means - a * moved, mixture.sigmas - b * moved)
            )
            / (2 * step)
            for a, b in ((1, 0), (0, 1))
        )
        # The square root of the Fisher information: sqrt(w) / s by the mean, sqrt(2 w) / s by s.
        scale = mixture.sigmas[k, d] / np.sqrt(mixture.weights[k])
        assert np.isclose(found[0, k, d], by_mean * scale, atol=1e-7)
        assert np.isclose(found[1, k, d], by_sigma * scale / np.sqrt(2), atol=1e-7)


def test_the_fisher_vector_is_that_of_scikit_image():
    fisher_vector = pytest.importorskip("skimage.feature").fisher_vector
    mixture, descriptors = a_mixture(), drawn(40, 6)
    theirs = sklearn_mixture.GaussianMixture(len(mixture.weights), covariance_type="diag")
    theirs.weights_, theirs.means_, theirs.covariances_ = mixture.weights, mixture.means, mixture.sigmas**2
    theirs.precisions_cholesky_ = 1 / mixture.sigmas
    values = (descriptors.astype(float) - mixture.mean) @ mixture.basis.T
    # Theirs begins with the gradient by the weights, which the improved vector leaves out; by standard deviations it
    # has the other sign than the gradient (the test above takes differences).
    by_mean, by_sigma = np.split(fisher_vector(values, theirs, improved=True)[len(mixture.weights) :], 2)
    wanted = np.concatenate([by_mean, -by_sigma])
    assert np.allclose(mixture(descriptors), wanted / np.linalg.norm(wanted), atol=1e-6)
    assert np.allclose(mixture.posteriors(values), theirs.predict_proba(values), atol=1e-9)


def test_the_improved_fisher_vector_takes_roots_and_unit_length():
    mixture, descriptors = a_mixture(), drawn(40, 6)
    plain = mixture.fisher((descriptors.astype(float) - mixture.mean) @ mixture.basis.T)
    wanted = np.sign(plain) * np.sqrt(np.abs(plain))
    assert np.allclose(mixture(descriptors), wanted / np.linalg.norm(wanted), atol=1e-6)
    assert not mixture(descriptors[:0]).any()


@pytest.mark.parametrize("model", MODELS)
def test_a_model_is_its_descriptors_encoded(model):
    picture = photo(256, 256, seed=3)
    encoder = load_vocabulary(bundled_path(model), model).encoder("keypoints")
    wanted = encoder(keypoint_descriptors(grey_of(picture)))
    assert np.array_equal(load_model(f"classic/{model}").functions["keypoints"](picture[None]), wanted)


def test_the_bundled_vocabularies_are_small():
    assert sum(bundled_path(model).stat().st_size for model in MODELS) < 300_000


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for n in range(4):
        (folder / f"{n}.png").write_bytes(encoded(photo(seed=n), "PNG"))
    write_video(folder / "v.mp4", [photo(108, 192, seed=9 + n // 10) for n in range(20)], rate=10)
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.mark.parametrize("model", MODELS)
def test_learning_is_the_seeds(model, photos, tmp_path):
    learned = [learn_words([photos], model=f"classic/{model}", words=8, seed=seed, size_px=96) for seed in (0, 0, 1)]
    digests = [one.vocabulary.digest for one in learned]
    assert digests[0] == digests[1] != digests[2]
    # 4 pictures and 8 frames.
    assert (learned[0].pictures, learned[0].failures, learned[0].vocabulary.words) == (12, (), 8)
    learned[0].vocabulary.save(tmp_path / "words.safetensors")
    again = load_vocabulary(tmp_path / "words.safetensors", model)
    assert (again.digest, again.notes["seed"]) == (digests[0], "0")


def test_words_that_few_pictures_have_weigh_more():
    common = np.eye(128, dtype=np.float32)[:1].repeat(4, axis=0)
    rare = np.eye(128, dtype=np.float32)[1:2]
    pictures = [common, common, np.concatenate([common, rare])]
    made = learn_vocabulary("sift_bow", {"grid": pictures, "keypoints": pictures}, words=2, seed=0, notes={})
    at = int(np.argmax(made.arrays["grid.centers"][:, 1]))
    assert np.allclose(made.arrays["grid.idf"][[1 - at, at]], [1, np.log(4 / 2) + 1])


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return int(stopped.value.code or 0), out, err


def test_the_command_and_the_recipe_that_it_is_for(capsys, photos, tmp_path):
    path = tmp_path / "words.safetensors"
    code, out, _ = run(capsys, "vocabulary", photos, "--words", 5, "--size", 128, "--out", path, "--json")
    about = json.loads(out)
    assert (code, about["words"], about["pictures"], about["failures"]) == (0, 5, 12, [])
    own = vf.Extractor("classic/sift_bow", weights=str(path))
    bundled = vf.Extractor("classic/sift_bow")
    assert own([photo()]).shape == (1, 5)
    assert bundled([photo()]).shape == (1, 256)
    assert own.recipe.digest != bundled.recipe.digest
    assert run(capsys, "extract", photos, "-m", "classic/sift_bow", "--weights", path, "-s", tmp_path / "s.vf")[0] == 0
    assert [one.digest for one in vf.open_store(tmp_path / "s.vf").recipes()] == [own.recipe.digest]
    # A file of other words under the same name is another recipe.
    learn_words([photos], words=5, seed=1, size_px=128).vocabulary.save(path)
    assert vf.Extractor("classic/sift_bow", weights=str(path)).recipe.digest != own.recipe.digest


def test_files_that_cannot_be_read_are_named(capsys, photos, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    code, out, err = run(
        capsys, "vocabulary", photos, tmp_path / "broken.jpg", "--words", 4, "--size", 96,
        "--model", "classic/sift_vlad", "-o", tmp_path / "w.safetensors",
    )  # fmt: skip
    assert code == 3
    assert "4 words for classic/sift_vlad, learned from 12 pictures" in out
    assert "broken.jpg" in err


def test_what_cannot_be_learned_is_said(photos, tmp_path):
    with pytest.raises(UsageError, match="fewer words"):
        learn_words([photos / "0.png"], words=100_000)
    with pytest.raises(UsageError, match="--words 0"):
        learn_words([photos], words=0)
    with pytest.raises(UnknownModel, match="classic/hog: has no vocabulary; classic/sift_bow"):
        learn_words([photos], model="classic/hog")
    with pytest.raises(UsageError, match="the vocabulary of classic/sift_bow is learned"):
        load_model("classic/sift_bow", weights="random:0")


def test_a_file_that_is_no_vocabulary_is_refused(tmp_path):
    path = tmp_path / "words.safetensors"
    with pytest.raises(ModelError, match="no such file; visfeat vocabulary"):
        load_model("classic/sift_bow", weights=str(path))
    path.write_bytes(b"not at all")
    with pytest.raises(ModelError, match="damaged"):
        load_model("classic/sift_bow", weights=str(path))
    load_vocabulary(bundled_path("sift_vlad"), "sift_vlad").save(path)
    with pytest.raises(ModelError, match="was made for classic/sift_vlad, not for classic/sift_bow"):
        load_model("classic/sift_bow", weights=str(path))
    arrays = dict(load_vocabulary(bundled_path("sift_bow"), "sift_bow").arrays)
    for change, problem in (
        ({"grid.idf": np.ones(3, np.float32)}, r"grid.idf has the shape \(3,\), not \(256\)"),
        ({"keypoints.idf": np.full(256, np.nan, np.float32)}, "keypoints.idf .* does not hold finite numbers"),
        ({"grid.idf": np.zeros(256, np.float32)}, "grid.idf must be more than 0"),
    ):
        save_file(arrays | change, path)
        with pytest.raises(ModelError, match=problem):
            load_model("classic/sift_bow", weights=str(path))
    del arrays["keypoints.centers"]
    save_file(arrays, path)
    with pytest.raises(ModelError, match=r"there is no keypoints\.centers"):
        load_model("classic/sift_bow", weights=str(path))
