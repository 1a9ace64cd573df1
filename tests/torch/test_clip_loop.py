"""Clips through the whole path beside a hand-written torchvision loop over the same frames."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import torch
from torchvision.models.video import R3D_18_Weights, r3d_18

import visfeat as vf
from media_made import opened, photo, write_video

SEED, FRAMES = 5, 8


def test_r3d_18(tmp_path):
    wide = photo(180, 400, seed=2)
    path = write_video(tmp_path / "v.mp4", [wide[:, 4 * n : 4 * n + 240] for n in range(36)], rate=30)
    options = {"weights": f"random:{SEED}", "clip": FRAMES, "stride": 5, "preprocess": "reference"}
    run = vf.extract(path, store=tmp_path / "s.vf", model="torchvision/r3d_18", **options)
    found, meta = vf.open_store(run.store).features()
    assert meta["start_s"].to_pylist() == [0, 5 / 15, 10 / 15]

    torch.manual_seed(SEED)
    module = r3d_18(weights=None).eval()
    transform = R3D_18_Weights.DEFAULT.transforms()
    with closing(opened(path)) as decoder:
        frames = np.stack([frame.rgb() for frame in decoder.frames()])
    kept: list[torch.Tensor] = []
    module.avgpool.register_forward_hook(lambda _m, _i, output: kept.append(output.flatten(1)))
    with torch.inference_mode():
        for indices in meta["frame_indices"].to_pylist():
            module(transform(torch.from_numpy(frames[indices]).permute(0, 3, 1, 2))[None])
    expected = torch.cat(kept).numpy()
    cosine = (found * expected).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(expected, axis=1)
    assert found.shape == (3, 512)
    assert cosine.min() >= 0.9999


def test_the_extractor_gives_the_same_clips(tmp_path):
    path = write_video(tmp_path / "v.mp4", [photo(96, 128, seed=n // 6) for n in range(30)], rate=30)
    options = {"weights": f"random:{SEED}", "clip": FRAMES}
    run = vf.extract(path, store=tmp_path / "s.vf", model="torchvision/r3d_18", **options)
    found, meta = vf.open_store(run.store).features()
    features = vf.Extractor("torchvision/r3d_18", **options).video(path)
    assert np.array_equal(features.values, found)
    assert features.start_s.tolist() == meta["start_s"].to_pylist()
