"""Search by text, with a small random model of open_clip against the model itself."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from media_made import encoded, photo
from visfeat.errors import ModelError, UsageError
from visfeat.extraction.run import extract
from visfeat.search import search
from visfeat.store.feature_store import open_store

open_clip = pytest.importorskip("open_clip")
MODEL = "open_clip/tiny-search"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures, and an architecture small enough for a test, with the words of the usual tokenizer."""
    vision = {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8, "head_width": 32}
    text = {"context_length": 12, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
    made = tmp_path_factory.mktemp("clip")
    (made / "tiny-search.json").write_text(json.dumps({"embed_dim": 16, "vision_cfg": vision, "text_cfg": text}))
    open_clip.add_model_config(made / "tiny-search.json")
    (made / "media").mkdir()
    for n in range(4):
        (made / "media" / f"{n}.png").write_bytes(encoded(photo(seed=n), "PNG"))
    return made


@pytest.fixture(scope="module")
def store(folder):
    extract(folder / "media", store=folder / "s.vf", model=MODEL, weights="random:0", layers=("output", "ln_post"))
    return open_store(folder / "s.vf")


def embedding_of(words):
    torch.manual_seed(0)
    model = open_clip.create_model("tiny-search", pretrained_text=False).eval()
    with torch.no_grad():
        return model.encode_text(open_clip.get_tokenizer("tiny-search")([words]), normalize=True).numpy()[0]


def test_a_text_scores_its_cosine_with_the_pictures(store):
    answer = search(store, text="a photo of a cat", layer="output")
    values, table = store.features(layer="output")
    cosines = values @ embedding_of("a photo of a cat") / np.linalg.norm(values, axis=1)
    order = np.argsort(-cosines)
    assert [one.uri for one in answer.passages] == [table["uri"][int(row)].as_py() for row in order]
    np.testing.assert_allclose([one.score for one in answer.passages], cosines[order], atol=1e-5)
    assert [(shown.name, shown.is_file) for shown in answer.shown] == [("a photo of a cat", False)]


def test_texts_and_pictures_are_one_question(store, folder):
    picture = folder / "media" / "2.png"
    values, table = store.features(layer="output")
    unit = values[table["uri"].to_pylist().index(str(picture))]
    mean = unit / np.linalg.norm(unit) + embedding_of("a cat")
    both = search(store, text="a cat", image=picture, layer="output", k=1).passages[0]
    assert both.score == pytest.approx(float(np.max(values @ mean / np.linalg.norm(mean))), abs=1e-4)


def test_texts_lie_beside_the_embedding_alone(store):
    with pytest.raises(UsageError, match="texts lie among the rows of layer output; these are others"):
        search(store, text="a cat", layer="ln_post")
    with pytest.raises(UsageError, match="texts must say something"):
        search(store, text=" ", layer="output")


def test_weights_that_changed_are_refused(folder, store):
    whole = open_clip.create_model("tiny-search", pretrained_text=False)
    torch.save(whole.state_dict(), folder / "w.pt")
    extract(folder / "media", store=folder / "file.vf", model=MODEL, weights=str(folder / "w.pt"))
    other = open_store(folder / "file.vf")
    assert len(search(other, text="a cat", k=2).passages) == 2
    torch.save(open_clip.create_model("tiny-search", pretrained_text=False).state_dict(), folder / "w.pt")
    with pytest.raises(ModelError, match="no longer those that made the store's rows"):
        search(other, text="a cat")
