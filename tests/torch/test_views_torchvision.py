"""Views against torchvision's own FiveCrop and TenCrop, and features of views in a store and by an Extractor."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from torchvision.transforms import functional as F  # noqa: N812

import visfeat as vf
from media_made import photo, write_video
from visfeat.card import InputSpec
from visfeat.preprocess import Preprocessor

SPEC = InputSpec(size_px=(64, 64), resize_px=73, interpolation="bilinear", mean=(0.5,) * 3, std=(0.5,) * 3)


@pytest.mark.parametrize("shape", [(120, 160), (161, 99), (73, 73), (64, 300)])
@pytest.mark.parametrize("crops", [5, 10])
def test_the_same_views_as_torchvision(shape, crops):
    picture = photo(*shape)
    resized = F.resize(Image.fromarray(picture), 73, F.InterpolationMode.BILINEAR)
    expected = F.five_crop(resized, 64) if crops == 5 else F.ten_crop(resized, 64)
    found = Preprocessor(SPEC, method="reference", crops=crops).pictures(picture)
    assert np.array_equal(found, np.stack([np.asarray(view) for view in expected]))


def test_an_extractor_and_a_store_agree_and_the_mean_is_of_single_views(tmp_path):
    video = write_video(tmp_path / "v.mp4", [photo(64, 100, seed) for seed in range(3)], rate=2)
    options = {"model": "bundled/efficientnet_lite0", "crops": 5, "every_frame": True, "preprocess": "reference"}
    keeping = vf.Extractor(**options, crops_apart=True)
    apart = keeping.video(video).values
    mean = vf.Extractor(**options).video(video).values
    vf.extract(video, store=tmp_path / "s.vf", **options)
    stored, _ = vf.open_store(tmp_path / "s.vf").features()
    assert apart.shape == (3, 5, 1280)
    assert np.array_equal(stored, mean)
    assert np.allclose(apart.mean(axis=1), mean, atol=1e-5)
    # Pictures have views as frames have; a batch that is not full is padded by whole rows.
    pictures = [photo(64, 100, seed) for seed in range(3)]
    assert keeping(pictures).shape == (3, 5, 1280)
    assert np.array_equal(keeping(pictures[1:2])[0], keeping(pictures)[1])
    # The fifth view is what the network sees without this option.
    center = vf.Extractor(**(options | {"crops": None})).video(video).values
    assert np.array_equal(apart[:, 4], center)
