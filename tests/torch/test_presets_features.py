"""Features of presets beside loops written by hand after the other tools' transforms (random weights on both sides)."""

from __future__ import annotations

import av
import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional
from torchvision import models, transforms

import visfeat as vf
from media_made import photo, write_video
from visfeat.errors import UnknownModel
from visfeat.models.i3d import i3d_network
from visfeat.models.registry import load_model
from visfeat.models.torchvision_clips import s3d_name
from visfeat.models.weights import fill_from_file, weights_digest
from visfeat.presets import presets

SEED = "random:0"


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """34 frames at 25 a second that drift over a picture."""
    wide = photo(240, 420, 3)
    pictures = [wide[n : n + 180, 2 * n : 2 * n + 240] for n in range(34)]
    return write_video(tmp_path_factory.mktemp("presets") / "v.mp4", pictures, rate=25, options={"crf": "20"})


def decoded(path) -> np.ndarray:
    """All frames as PyAV converts them: uint8 (N, H, W, 3)."""
    with av.open(str(path)) as container:
        return np.stack([frame.to_rgb().to_ndarray() for frame in container.decode(video=0)])


def features(name: str, video, **options) -> vf.Features:
    (recipe,) = presets(name, {"weights": SEED, "engine": "torch", "device": "cpu"} | options)
    found = vf.Extractor(recipe=recipe).video(video)
    assert isinstance(found, vf.Features)
    return found


def network(name: str) -> torch.nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return models.get_model(name, weights=None).eval()


def cosines(a, b) -> np.ndarray:
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def stacks(frames: torch.Tensor, size: int) -> list[torch.Tensor]:
    """float (3, N, H, W) in full windows, one after the other."""
    return [frames[None, :, k * size : (k + 1) * size] for k in range((frames.shape[1] - size) // size + 1)]


def cropped(frames: torch.Tensor, size: int) -> torch.Tensor:
    top, left = (round((side - size) / 2.0) for side in frames.shape[-2:])
    return frames[..., top : top + size, left : left + size]


def as_floats(video) -> torch.Tensor:
    return torch.from_numpy(decoded(video)).permute(3, 0, 1, 2).float() / 255


@torch.inference_mode()
def test_r21d(video):
    module = network("r2plus1d_18")
    module.fc = torch.nn.Identity()
    frames = functional.interpolate(as_floats(video), size=(128, 171), mode="bilinear", align_corners=False)
    mean, std = torch.tensor([0.43216, 0.394666, 0.37645]), torch.tensor([0.22803, 0.22145, 0.216989])
    frames = cropped((frames - mean[:, None, None, None]) / std[:, None, None, None], 112)
    expected = np.concatenate([module(stack).numpy() for stack in stacks(frames, 16)])
    found = features("video_features/r21d", video)
    assert found.values.shape == expected.shape == (2, 512)
    assert cosines(found.values, expected).min() >= 0.9999
    assert np.allclose(found.values, expected, atol=0.01 * np.abs(expected).max())


@torch.inference_mode()
def test_s3d(video):
    module = network("s3d")
    scale = 224 / 180
    frames = functional.interpolate(
        as_floats(video), scale_factor=scale, mode="bilinear", align_corners=False, recompute_scale_factor=False
    )
    (stack, _) = stacks(cropped(frames, 224), 16)
    expected = functional.avg_pool3d(module.features(stack), (2, 7, 7), stride=1).mean((2, 3, 4)).numpy()
    found = features("video_features/s3d", video, clip=16, stride=40)
    assert found.values.shape == expected.shape == (1, 1024)
    assert cosines(found.values, expected).min() >= 0.999
    assert (found.start_s.tolist(), found.frame_index.tolist()) == ([0.0], [0])


def in_the_authors_names(module: torch.nn.Module, prefix: str):
    """Names of the public conversion of S3D's checkpoint, and the parts that they mean, of a part of torchvision's."""
    kind = type(module).__name__
    if kind == "TemporalSeparableConv":
        for (conv, norm), (own_conv, own_norm, *_) in zip(
            (("conv_s", "bn_s"), ("conv_t", "bn_t")), module, strict=True
        ):
            yield from ((f"{prefix}.{conv}", own_conv), (f"{prefix}.{norm}", own_norm))
    elif kind == "Conv3dNormActivation":
        yield from ((f"{prefix}.conv", module[0]), (f"{prefix}.bn", module[1]))
    elif kind == "SepInceptionBlock3D":
        yield from in_the_authors_names(module.branch0, f"{prefix}.branch0.0")
        for name in ("branch1", "branch2", "branch3"):
            for number, part in enumerate(getattr(module, name)):
                yield from in_the_authors_names(part, f"{prefix}.{name}.{number}")


def test_s3d_takes_its_authors_checkpoint(tmp_path):
    module = network("s3d")
    parts = dict(pair for n, part in enumerate(module.features) for pair in in_the_authors_names(part, f"base.{n}"))
    parts["fc.0"] = module.classifier[1]
    state = {f"{name}.{key}": value for name, part in parts.items() for key, value in part.state_dict().items()}
    assert len(state) == len(module.state_dict())
    assert {s3d_name(name) for name in state} == set(module.state_dict())
    torch.save(state, tmp_path / "s3d.pt")
    filled = fill_from_file(
        lambda _: models.get_model("s3d", weights=None),
        str(tmp_path / "s3d.pt"),
        subject="s3d",
        as_ours=lambda found: {s3d_name(name): value for name, value in found.items()},
    )
    assert weights_digest(filled) == weights_digest(module)


BRANCHES = {"b0": "0", "b1a": "1.0", "b1b": "1.1", "b2a": "2.0", "b2b": "2.1", "b3b": "3.1"}


def test_i3d_takes_the_tools_checkpoint(tmp_path):
    module = i3d_network("random:2", subject="i3d")
    state = {}
    for name, value in module.state_dict().items():
        block, *rest = name.split(".")
        if block == "logits":
            block = "conv3d_0c_1x1"
        elif block.startswith("Mixed"):
            rest[0] = f"branch_{BRANCHES[rest[0]]}"
        theirs = ".".join(["batch3d" if part == "bn" else part for part in (block[0].lower() + block[1:], *rest)])
        state[theirs] = value + 0.00099 if name.endswith("running_var") else value
    torch.save(state, tmp_path / "i3d_rgb.pt")
    filled = i3d_network(str(tmp_path / "i3d_rgb.pt"), subject="i3d").state_dict()
    assert all(torch.allclose(filled[name], value, atol=1e-6) for name, value in module.state_dict().items())


@torch.inference_mode()
def test_resnet(video):
    module = network("resnet50")
    module.fc = torch.nn.Identity()
    evaluation = transforms.Compose(
        [transforms.ToPILImage(), models.get_model_weights("resnet50").IMAGENET1K_V1.transforms()]
    )
    pictures = torch.stack([evaluation(frame) for frame in decoded(video)[::9]])
    expected = np.concatenate([module(part).numpy() for part in pictures.split(4)])
    found = features("video_features/resnet", video, every_nth=9)
    assert found.values.shape == expected.shape == (4, 2048)
    assert cosines(found.values, expected).min() >= 0.99999


def test_other_pretrained_weights_have_a_name():
    # That they have their own transform shows in test_resnet: the default weights' short side is 232.
    card = load_model("torchvision/resnet18/IMAGENET1K_V1", weights=SEED).card
    assert (card.name, card.input.resize_px) == ("torchvision/resnet18/IMAGENET1K_V1", 256)
    with pytest.raises(UnknownModel, match="no weights are called V9.*IMAGENET1K_V1"):
        load_model("torchvision/resnet18/V9", weights=SEED)


def test_i3d_resizes_and_cuts_as_the_tool_does():
    from visfeat.models.i3d import INPUT
    from visfeat.preprocess import Preprocessor

    for height, width in ((180, 240), (240, 180), (256, 340)):
        picture = photo(height, width)
        short = (256, int(256 * height / width)) if width < height else (int(256 * width / height), 256)
        resized = np.asarray(Image.fromarray(picture).resize(short, Image.Resampling.BILINEAR))
        top, left = (resized.shape[0] - 224) // 2, (resized.shape[1] - 224) // 2
        found = Preprocessor(INPUT, method="reference").picture(picture)
        # An odd margin is halved to the even side here, downwards there.
        shifts = [(top, left), (round((resized.shape[0] - 224) / 2), round((resized.shape[1] - 224) / 2))]
        assert any(np.array_equal(found, resized[y : y + 224, x : x + 224]) for y, x in shifts)
