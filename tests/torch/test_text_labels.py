"""Labels by texts: the two towers of a small random model of open_clip, against the model itself."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from media_made import encoded, photo
from test_cli import run
from visfeat.classify.naming import label_by_texts
from visfeat.errors import ModelError, UsageError
from visfeat.extraction.extractor import Extractor
from visfeat.extraction.run import extract
from visfeat.models.open_clip_text import text_vectors
from visfeat.store.feature_store import open_store
from visfeat.store.labels import predicted_labels

open_clip = pytest.importorskip("open_clip")
MODEL, WORDS = "open_clip/tiny-two-towers", 49408
TEXTS = ("a cat", "a dog", "an owl")


@pytest.fixture(scope="module", autouse=True)
def tiny_model(tmp_path_factory):
    """An architecture of open_clip small enough for a test, with the words of the usual tokenizer."""
    vision = {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8, "head_width": 32}
    text = {"context_length": 12, "vocab_size": WORDS, "width": 32, "heads": 2, "layers": 1}
    path = tmp_path_factory.mktemp("clip") / "tiny-two-towers.json"
    path.write_text(json.dumps({"embed_dim": 16, "vision_cfg": vision, "text_cfg": text}))
    open_clip.add_model_config(path)


@pytest.fixture(scope="module")
def store(tiny_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stores") / "media"
    folder.mkdir()
    for n in range(3):
        (folder / f"{n}.png").write_bytes(encoded(photo(seed=n), "PNG"))
    extract(folder, store=folder.parent / "s.vf", model=MODEL, weights="random:0")
    return open_store(folder.parent / "s.vf")


def whole_model(seed=0):
    torch.manual_seed(seed)
    return open_clip.create_model("tiny-two-towers", pretrained_text=False).eval()


def expected_texts(model, texts):
    with torch.no_grad():
        return model.encode_text(open_clip.get_tokenizer("tiny-two-towers")(list(texts)), normalize=True).numpy()


def test_shares_are_the_models_own(store):
    found = label_by_texts(store, TEXTS, template="a photo of {}", top=3)
    model = whole_model()
    texts = expected_texts(model, [f"a photo of {text}" for text in TEXTS])
    logits = float(model.logit_scale.detach().exp()) * store.features()[0] @ texts.T
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert [one.label for one in found] == [TEXTS[n] for n in shares.argmax(axis=1)]
    for one, row in zip(found, shares, strict=True):
        given = {label.name: label.probability for label in one.labels}
        np.testing.assert_allclose([given[text] for text in TEXTS], row, rtol=1e-3)
    assert predicted_labels(store, "texts").num_rows == 3


def test_weights_of_a_file_hold_both_towers_or_say_so(tmp_path):
    model = whole_model(seed=3)
    torch.save(model.state_dict(), tmp_path / "both.pt")
    torch.save(model.visual.state_dict(), tmp_path / "image.pt")
    recipe = Extractor(MODEL, weights=str(tmp_path / "both.pt")).recipe
    np.testing.assert_allclose(text_vectors(recipe, TEXTS).values, expected_texts(model, TEXTS), atol=1e-6)
    larger = Extractor(MODEL, weights=str(tmp_path / "both.pt"), size=64).recipe
    np.testing.assert_allclose(text_vectors(larger, TEXTS).values, expected_texts(model, TEXTS), atol=1e-6)
    with pytest.raises(ModelError, match="the image tower alone"):
        text_vectors(Extractor(MODEL, weights=str(tmp_path / "image.pt")).recipe, TEXTS)
    with pytest.raises(ModelError, match="no longer those"):
        text_vectors(recipe.but(weights_digest="0"), TEXTS)


def test_what_texts_cannot_be_compared_with(store, tmp_path):
    with pytest.raises(UsageError, match="two or more different texts"):
        label_by_texts(store, ("a cat",))
    with pytest.raises(UsageError, match="has no {}"):
        label_by_texts(store, TEXTS, template="a photo")
    with pytest.raises(UsageError, match="must say something"):
        text_vectors(store.recipes()[0].recipe, ["a cat", " "])
    extract(store.path.parent / "media", store=tmp_path / "s.vf", model=MODEL, weights="random:0", layers="ln_post")
    with pytest.raises(UsageError, match="is not the model's embedding"):
        label_by_texts(open_store(tmp_path / "s.vf"), TEXTS)


def test_the_command(capsys, store, tmp_path):
    code, out, _ = run(capsys, "label", store.path, "--texts", "a cat,a dog", "--json")
    assert code == 0
    assert {one["label"] for one in json.loads(out)} <= {"a cat", "a dog"}
    extract(store.path.parent / "media", store=tmp_path / "s.vf")
    code, _, err = run(capsys, "label", tmp_path / "s.vf", "--texts", "a cat,a dog")
    assert (code, "has no text tower" in err) == (2, True)
