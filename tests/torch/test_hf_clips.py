"""Transformers over clips, tiny and with random weights, from a folder."""

from __future__ import annotations

import json

import pytest
import torch

from visfeat.engine.pack import pack, relative_error, run
from visfeat.errors import UsageError
from visfeat.models.hf_clips import clip_rate
from visfeat.models.registry import load_model

transformers = pytest.importorskip("transformers")

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "image_size": 32}
VJEPA2 = {
    **{name: SMALL[name] for name in ("hidden_size", "num_hidden_layers", "num_attention_heads")},
    "crop_size": 32,
    "patch_size": 16,
    "frames_per_clip": 4,
    "mlp_ratio": 2.0,
    "num_pooler_layers": 1,
    "pred_hidden_size": 24,
    "pred_num_attention_heads": 2,
    "pred_num_hidden_layers": 1,
}
MODELS = {
    "VideoMAEForVideoClassification": SMALL | {"num_frames": 4, "patch_size": 16},
    "TimesformerForVideoClassification": SMALL | {"num_frames": 4, "patch_size": 16},
    "VivitForVideoClassification": SMALL | {"num_frames": 4, "tubelet_size": [2, 16, 16]},
    "VivitModel": SMALL | {"num_frames": 4, "tubelet_size": [2, 16, 16]},
    "VJEPA2Model": VJEPA2,
    "VJEPA2ForVideoClassification": VJEPA2,
}
SLOW = ("VideoMAEForVideoClassification", "VivitForVideoClassification")


def saved(name, folder):
    kind = getattr(transformers, name)
    torch.manual_seed(0)
    module = kind(kind.config_class(**MODELS[name])).eval()
    module.save_pretrained(folder)
    processor = {
        "image_processor_type": "VivitImageProcessor",
        "size": {"shortest_edge": 36},
        "crop_size": {"height": 32, "width": 32},
        "do_center_crop": True,
        "resample": 2,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }
    if "Vivit" in name:
        processor |= {"offset": True, "rescale_factor": 1 / 127.5}
    # As its makers publish it: V-JEPA 2 has no image processor.
    name_of_file = "video_preprocessor_config.json" if "VJEPA2" in name else "preprocessor_config.json"
    (folder / name_of_file).write_text(json.dumps(processor))
    return module, f"hf/{folder}"


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in MODELS]
)
def test_a_packed_transformer_of_clips_equals_its_own_forward(tmp_path, name):
    module, model = saved(name, tmp_path)
    loaded = load_model(model)
    card = loaded.card
    assert (card.input.clip_frames, card.input.clip_lengths, card.input.resize_px) == (4, (4,), 36)
    pixels = torch.randn(2, 3, 4, 32, 32)
    with torch.no_grad():
        expected = module(pixels.transpose(1, 2))[0].numpy()
    if name == "VivitModel":
        spec = card.layer(card.default_layer)
        assert (spec.kind, spec.prefix_tokens, card.default_pool) == ("tokens", 1, "cls")
    elif name == "VJEPA2Model":
        # 2 tubes of 2 frames, 2 x 2 patches, and no class token.
        spec = card.layer(card.default_layer)
        assert (spec.kind, spec.shape, spec.prefix_tokens) == ("tokens", (8, 32), 0)
    else:
        assert len(card.class_names) == 2
    layer = card.logits_layer or card.default_layer
    assert relative_error(run(pack(loaded), pixels.numpy(), (layer,))[layer], expected) < 1e-5


def test_the_offset_of_vivit_is_part_of_mean_and_deviation(tmp_path):
    _, model = saved("VivitModel", tmp_path)
    spec, pixel = load_model(model).card.input, 200
    wanted = ((pixel / 127.5 - 1) - 0.5) / 0.5
    assert (pixel / 255 - spec.mean[0]) / spec.std[0] == pytest.approx(wanted)


def test_another_length_or_size_is_refused(tmp_path):
    _, model = saved("VideoMAEForVideoClassification", tmp_path)
    with pytest.raises(UsageError, match=r"--clip 8: .* takes 4 frames"):
        load_model(model, clip_frames=8)
    with pytest.raises(UsageError, match=r"--size 64: .* takes 32 pixels and nothing else"):
        load_model(model, size_px=64)


@pytest.mark.parametrize(
    ("config", "classifier", "fps"),
    [
        (transformers.VideoMAEConfig(num_labels=400), True, 7.5),
        (transformers.VideoMAEConfig(num_labels=174), True, None),
        (transformers.VideoMAEConfig(), False, None),
        (transformers.TimesformerConfig(num_labels=600, num_frames=8), True, 0.9375),
        (transformers.TimesformerConfig(num_labels=400, num_frames=16), True, 1.875),
        (transformers.TimesformerConfig(num_labels=400, num_frames=12), True, None),
        (transformers.VivitConfig(num_labels=400), True, 12.5),
        (transformers.VJEPA2Config(), False, 4.0),
    ],
)
def test_the_rate_is_what_the_makers_published(config, classifier, fps):
    assert clip_rate(config, classifier=classifier) == fps
