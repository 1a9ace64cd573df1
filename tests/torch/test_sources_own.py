"""Models that are no zoo's: your own function's, transformers' from a folder, open_clip's towers."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

from visfeat.engine.pack import pack, run
from visfeat.errors import ModelError, UnknownModel, UsageError
from visfeat.models.registry import load_model

transformers = pytest.importorskip("transformers")
TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


@pytest.fixture(autouse=True)
def own_nets_can_be_imported(request):
    import sys

    folder = str(request.path.parent)
    sys.path.insert(0, folder)
    yield
    sys.path.remove(folder)


def test_own_function_with_defaults():
    card = load_model("own_nets:classifier").card
    assert (card.input.size_px, card.input.resize_px) == ((224, 224), 256)
    assert (card.name, card.default_layer, card.logits_layer) == ("own_nets:classifier", "3", "4")
    assert load_model("own_nets:classifier", size_px=64).card.layer("0").shape == (8, 32, 32)


def test_own_function_with_a_card():
    card = load_model("own_nets:with_card").card
    assert (card.input.size_px, card.input.resize_px, card.default_layer) == ((64, 64), 80, "1")
    assert (card.class_names, card.license) == (("a", "b", "c", "d", "e"), "MIT")
    assert load_model("own_nets:with_card", size_px=32).card.input.resize_px == 40


def test_own_weights_and_seeds(tmp_path):
    one, again = (load_model("own_nets:bare", weights="random:3", size_px=64) for _ in range(2))
    assert one.card.weights_digest == again.card.weights_digest
    save_file(one.module.state_dict(), tmp_path / "w.safetensors")
    loaded = load_model("own_nets:bare", weights=str(tmp_path / "w.safetensors"), size_px=64)
    assert loaded.card.weights_digest == one.card.weights_digest
    assert loaded.card.default_layer == "output"


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        ("own_nets:nothing", UnknownModel, "own_nets has no function nothing"),
        ("no_such_nets:build", UnknownModel, "there is no module no_such_nets"),
        ("own_nets:no_module", ModelError, r"must return a torch.nn.Module, not int"),
        ("own_nets:wrong_card", ModelError, "unknown field sise"),
        ("own_nets:breaks", ModelError, "does not run on pictures of 224 x 224 pixels"),
    ],
)
def test_own_functions_that_will_not_do(model, error, message):
    with pytest.raises(error, match=message):
        load_model(model)


def vit_folder(folder, **config):
    torch.manual_seed(0)
    settings = transformers.ViTConfig(**TINY, image_size=64, patch_size=16, **config)
    kind = transformers.ViTForImageClassification if config else transformers.ViTModel
    kind(settings).save_pretrained(folder)
    return folder


def test_transformers_from_a_folder(tmp_path):
    folder = vit_folder(tmp_path)
    (folder / "preprocessor_config.json").write_text(
        json.dumps(
            {"size": {"height": 64, "width": 64}, "resample": 2, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
        )
    )
    model = load_model(f"hf/{folder}")
    spec = model.card.input
    assert (spec.size_px, spec.fit, spec.interpolation) == ((64, 64), "squash", "bilinear")
    assert (spec.mean, spec.std) == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    assert (model.card.default_layer, model.card.default_pool, model.card.logits_layer) == ("layernorm", "cls", None)
    pixels = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = transformers.ViTModel.from_pretrained(folder)(pixels).last_hidden_state
    found = run(pack(model, ["layernorm"]), pixels.numpy())["layernorm"]
    torch.testing.assert_close(torch.from_numpy(found), expected, rtol=1e-4, atol=1e-5)


def test_a_classifier_of_transformers_keeps_its_head_and_names(tmp_path):
    card = load_model(f"hf/{vit_folder(tmp_path, id2label={0: 'cat', 1: 'dog'})}").card
    assert (card.logits_layer, card.class_names) == ("classifier", ("cat", "dog"))
    assert (card.default_layer, card.default_pool) == ("vit.layernorm", "cls")


def test_transformers_at_another_size(tmp_path):
    card = load_model(f"hf/{vit_folder(tmp_path)}", size_px=96).card
    assert card.layer("layernorm").shape == (37, 32)


def test_the_image_tower_of_two(tmp_path):
    torch.manual_seed(0)
    vision = TINY | {"image_size": 64, "patch_size": 16}
    config = transformers.CLIPConfig(text_config=TINY, vision_config=vision, projection_dim=16)
    clip = transformers.CLIPModel(config).eval()
    clip.save_pretrained(tmp_path)
    model = load_model(f"hf/{tmp_path}")
    assert (model.card.default_layer, model.card.normalize) == ("visual_projection", True)
    pixels = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        pooled = clip.vision_model(pixel_values=pixels).pooler_output
        torch.testing.assert_close(model.module(pixels), clip.visual_projection(pooled))


def test_a_folder_that_is_not_there_is_said_so(tmp_path):
    with pytest.raises(ModelError, match="no such folder"):
        load_model(f"hf/{tmp_path}/none")


@pytest.fixture(scope="module")
def tiny_clip(tmp_path_factory):
    """An architecture of open_clip small enough for a test."""
    open_clip = pytest.importorskip("open_clip")
    vision = {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8, "head_width": 32}
    text = {"context_length": 8, "vocab_size": 100, "width": 32, "heads": 2, "layers": 1}
    path = tmp_path_factory.mktemp("clip") / "tiny-clip.json"
    path.write_text(json.dumps({"embed_dim": 16, "vision_cfg": vision, "text_cfg": text}))
    open_clip.add_model_config(path)
    return open_clip


def test_the_image_tower_of_open_clip(tiny_clip, tmp_path):
    model = load_model("open_clip/tiny-clip", weights="random:0")
    card = model.card
    assert (card.default_layer, card.normalize, card.input.size_px) == ("output", True, (32, 32))
    assert card.layer("output").shape == (16,)
    assert card.layer("ln_post").shape[-1] == 64
    torch.manual_seed(0)
    whole = tiny_clip.create_model("tiny-clip", pretrained_text=False).eval()
    pixels = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        expected = whole.encode_image(pixels)
        torch.testing.assert_close(model.module(pixels), expected)
    torch.save(whole.state_dict(), tmp_path / "w.pt")
    filled = load_model("open_clip/tiny-clip", weights=str(tmp_path / "w.pt"))
    assert filled.card.weights_digest == card.weights_digest
    larger = load_model("open_clip/tiny-clip", weights=str(tmp_path / "w.pt"), size_px=64)
    assert larger.card.input.size_px == (64, 64)


def test_open_clip_without_weights_says_what_to_do(tiny_clip):
    with pytest.raises(ModelError, match="has no pretrained weights; say --weights FILE or random:SEED"):
        load_model("open_clip/tiny-clip")


def test_a_size_between_the_patches_is_refused(tiny_clip):
    with pytest.raises(UsageError, match="--size 30"):
        load_model("open_clip/tiny-clip", weights="random:0", size_px=30)
