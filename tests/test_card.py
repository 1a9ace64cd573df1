"""Model cards: TOML there and back, and errors that name the field."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visfeat.card import InputSpec, LayerSpec, ModelCard
from visfeat.errors import ModelError, UnknownLayer


def a_card(**changed) -> ModelCard:
    spec = InputSpec(size_px=(64, 64), resize_px=73, mean=(0.5, 0.4, 0.3), std=(0.2, 0.2, 0.1))
    fields = {
        "name": "timm/some",
        "weights_digest": "ab" * 32,
        "input": spec,
        "layers": (
            LayerSpec(name="layer1", kind="map", shape=(8, 4, 4)),
            LayerSpec(name="layer3", kind="tokens", shape=(17, 8), prefix_tokens=1),
            LayerSpec(name="pool", kind="vector", shape=(8,)),
        ),
        "default_layer": "pool",
    }
    return ModelCard(**(fields | changed))


text = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=20)


@given(text, st.lists(text, max_size=4), st.sampled_from([None, "cls", "avg"]), st.booleans())
def test_toml_there_and_back(name, classes, pool, normalize):
    card = a_card(name=name, class_names=tuple(classes), default_pool=pool, normalize=normalize)
    assert ModelCard.from_toml(card.to_toml(), subject="card") == card


def test_an_unknown_layer_gets_the_nearest_names_and_the_command():
    with pytest.raises(UnknownLayer, match=r"timm/some has no layer 'layr3'; did you mean layer3.*visfeat layers timm"):
        a_card().layer("layr3")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "timm/some"', "name = ", "x.toml: the card is not valid TOML"),
        ("resize_px = 73", 'resize_px = "big"', "x.toml: the card's input.resize_px"),
        ("card_version = 1", "card_version = 99", "card_version 99 is newer"),
        ('default_layer = "pool"', 'default_layr = "pool"', "x.toml: the card's default_layer"),
    ],
)
def test_a_damaged_card_is_said_with_its_field(old, new, message):
    toml = a_card().to_toml()
    assert old in toml
    with pytest.raises(ModelError, match=message):
        ModelCard.from_toml(toml.replace(old, new), subject="x.toml")
