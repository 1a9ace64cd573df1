"""Recipes in a store: what is kept of them, and choosing among their features."""

from __future__ import annotations

import pytest

from store_made import (
    FACTS,
    LAYER,
    RECIPE,
    writer_of,
)
from visfeat.errors import UsageError
from visfeat.store.feature_store import FeatureStore
from visfeat.store.records import LayerShape


def test_recipes_come_back_with_what_a_reader_needs(tmp_path):
    store = FeatureStore.create_or_open(tmp_path / "s")
    recipe = RECIPE.but(every_s="1/3", mean=(0.485, 0.456, 0.406), crop=(0, 0, 0.5, 0.5))
    writer_of(store, recipe).close()
    stored = store.recipes()[0]
    assert stored.digest == stored.recipe.digest == recipe.digest
    assert stored.recipe == recipe
    assert stored.facts == FACTS
    assert stored.layers == (LAYER,)
    assert stored.card_toml == "name = 'fake'\n"


def test_registering_again_keeps_date_and_earlier_facts(tmp_path):
    store = FeatureStore.create_or_open(tmp_path / "s")
    writer_of(store, RECIPE.but(name="first")).close()
    before = store.recipes()[0]
    store.writer(RECIPE, layers=[LAYER], facts=FACTS | {"cpu": "avx2"}, card_toml="").close()
    store.writer(RECIPE, layers=[LAYER], facts=FACTS | {"cpu": "avx2"}, card_toml="").close()
    (after,) = store.recipes()
    assert after.created_at == before.created_at
    assert after.recipe.name == "first"
    assert after.earlier_facts == (FACTS,)
    assert after.facts == FACTS | {"cpu": "avx2"}


def test_choosing_features(tmp_path):
    store = FeatureStore.create_or_open(tmp_path / "s")
    with pytest.raises(UsageError, match="no features yet"):
        store.features()
    layers = (LayerShape("fc", (2,)), LayerShape("pool", (4,)))
    both = RECIPE.but(layers=("fc", "pool"), name="both")
    writer_of(store, both, layers).close()
    writer_of(store, RECIPE.but(model="fake/other")).close()
    assert store.features(layer="fc")[0].shape == (0, 2)
    assert store.features(model="fake/other")[0].shape == (0, 4)
    assert store.features(layer="pool", recipe="both")[1].num_rows == 0
    assert store.features(layer="pool", recipe=both.digest[:6])[1].num_rows == 0
    with pytest.raises(UsageError, match=r"several(.|\n)*\(both\), model fake/net, layer pool(.|\n)*fake/other"):
        store.features(layer="pool")
    with pytest.raises(UsageError, match=r"no features of model fake/net, layer fv; it has:\n  recipe"):
        store.features(model="fake/net", layer="fv")


def test_recipes_that_look_alike_are_listed_with_their_differences(tmp_path):
    store = FeatureStore.create_or_open(tmp_path / "s")
    writer_of(store, RECIPE.but(size=224)).close()
    writer_of(store, RECIPE.but(size=256, every_s=2)).close()
    with pytest.raises(UsageError) as caught:
        store.features()
    assert sorted(line.partition("layer ")[2] for line in str(caught.value).splitlines()[1:]) == [
        "pool, every_s 2, size 256",
        "pool, size 224",
    ]


def test_what_was_said_tells_pooled_recipes_apart_not_what_it_hashes_to(tmp_path):
    store = FeatureStore.create_or_open(tmp_path / "s")
    writer_of(store, RECIPE).close()
    writer_of(store, RECIPE.but(temporal="lstm", temporal_model="random:0", temporal_model_digest="ab12")).close()
    with pytest.raises(UsageError) as caught:
        store.features()
    assert sorted(line.partition("layer ")[2] for line in str(caught.value).splitlines()[1:]) == [
        "pool",
        "pool, temporal lstm, temporal_model random:0",
    ]


def test_of_many_features_an_error_lists_a_few(tmp_path):
    store = FeatureStore.create_or_open(tmp_path / "s")
    for size in range(100, 107):
        writer_of(store, RECIPE.but(size=size)).close()
    for asked, message in (({}, "several features fit"), ({"layer": "fc"}, "no features of layer fc")):
        with pytest.raises(UsageError, match=message) as caught:
            store.features(**asked)
        lines = str(caught.value).splitlines()
        assert len(lines) == 1 + 4 + 1
        assert [line.split()[-1] for line in lines[1:5]] == ["100", "101", "102", "103"]
        assert lines[-1] == "  and 3 more; visfeat info STORE lists all"
