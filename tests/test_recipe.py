"""Recipes: exact fractions, digests, TOML, and errors that name the option."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visfeat.errors import UsageError
from visfeat.models.cache import cache_key
from visfeat.recipe import Recipe, recipe_of, run_options


def test_the_same_frames_have_the_same_digest_however_asked_for():
    digests = {Recipe(**options).digest for options in ({"every_s": 0.5}, {"fps": 2}, {"every_s": "1/2"})}
    assert len(digests) == 1
    assert Recipe().digest == Recipe(every_s=1).digest


def test_random_weights_are_those_of_seed_0():
    assert Recipe(weights="random").digest == Recipe(weights="random:0").digest != Recipe(weights="random:1").digest
    assert cache_key("timm/resnet18", weights="random") == cache_key("timm/resnet18", weights="random:0")


def test_the_name_is_not_part_of_the_digest_but_every_number_is():
    base = Recipe()
    assert base.but(name="mine").digest == base.digest
    changes = [
        {"model": "timm/resnet50"}, {"layers": ["a"]}, {"every_s": 2}, {"frames": 3}, {"keyframes": True},
        {"every_frame": True}, {"stream": 1}, {"animations": "video"}, {"preprocess": "reference"}, {"size": 192},
        {"fit": "pad"}, {"crop": (0, 0, 0.5, 1)}, {"interpolation": "bilinear"}, {"mean": (0, 0, 0)},
        {"std": (1, 1, 1)}, {"pool": "max"}, {"normalize": True}, {"dtype": "float16"}, {"top": 5},
        {"engine": "torch"}, {"device": "cuda"}, {"precision": "bf16"}, {"batch_size": 4}, {"weights_digest": "x"},
    ]  # fmt: skip
    digests = {base.but(**change).digest for change in changes}
    assert len(digests) == len(changes)
    assert base.digest not in digests


def test_weights_count_by_their_digest_not_by_their_name():
    one = Recipe(weights="a.pth", weights_digest="d")
    assert one.digest == Recipe(weights="moved/b.pth", weights_digest="d").digest
    assert Recipe(weights="a.pth").digest != Recipe(weights="b.pth").digest


@given(
    every=st.none() | st.fractions(min_value=Fraction(1, 1000), max_value=1000),
    layers=st.none() | st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=3, unique=True),
    crop=st.none() | st.tuples(*[st.floats(0.01, 1)] * 4),
    normalize=st.none() | st.booleans(),
)
def test_toml_round_trip(tmp_path_factory, every, layers, crop, normalize):
    recipe = Recipe(name="n", every_s=every, layers=layers, crop=crop, normalize=normalize)
    path = tmp_path_factory.mktemp("recipe") / "n.toml"
    path.write_text(recipe.to_toml(), "utf-8")
    again = Recipe.from_toml(path)
    assert again == recipe
    assert again.digest == recipe.digest


def test_a_recipe_file_is_named_after_its_stem_and_options_override_it(tmp_path):
    path = tmp_path / "frames.toml"
    path.write_text('every_s = 0.5\nmodel = "timm/resnet50"\n')
    recipe = recipe_of(path, {"frames": 8, "model": None})
    assert (recipe.name, recipe.model, recipe.sampling) == ("frames", "timm/resnet50", "8 frames")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every_s": 0}, "every_s: must be more than 0"),
        ({"every_s": "soon"}, "every_s: 'soon' is not a duration"),
        ({"fps": 1, "frames": 2}, "fps and frames exclude each other"),
        ({"layer": "fc"}, "there is no option 'layer'; did you mean layers"),
        ({"pool": "mean"}, "pool: Input should be"),
        ({"layers": ["a", "a"]}, "each once"),
        ({"layers": ["a", "b"], "pool": ("avg",)}, "as many as there are layers"),
        ({"frames": 0}, "frames must be at least 1"),
        ({"crop": (0, 0, 0, 1)}, "crop is x,y,width,height"),
        ({"top": -1}, "cannot be negative"),
        ({"std": (0, 1, 1)}, "std must be more than 0"),
        ({"mean": (float("nan"), 0, 0)}, "mean must be finite"),
        ({"crop": (0, 0, float("inf"), 1)}, "crop must be finite"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(UsageError, match=message):
        Recipe.from_options(**options)


def test_wrong_recipe_files_are_named(tmp_path):
    path = tmp_path / "r.toml"
    with pytest.raises(UsageError, match="r.toml: cannot be read"):
        Recipe.from_toml(path)
    path.write_text("every_s = ")
    with pytest.raises(UsageError, match="r.toml: not valid TOML"):
        Recipe.from_toml(path)
    path.write_text("evry_s = 1")
    with pytest.raises(UsageError, match="did you mean every_s"):
        Recipe.from_toml(path)


def test_a_file_may_speak_the_words_of_the_command_line(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text(
        'every = "500ms"\nlayers = "a,b"\npool = "avg,max"\ncrop = "0,0,0.5,1"\nclip-fps = 15\n'
        'store = "media.vf"\nmax-pixels = 1000\nthreads = 1\n'
    )
    recipe = Recipe.from_toml(path)
    assert (recipe.every_s, recipe.layers, recipe.pool) == (Fraction(1, 2), ("a", "b"), ("avg", "max"))
    assert (recipe.crop, recipe.clip_fps) == ((0, 0, 0.5, 1), 15)
    assert run_options(path) == {"store": "media.vf", "max_pixels": 1000, "threads": 1}
    path.write_text('threads = "two"')
    with pytest.raises(UsageError, match="threads: must be of type int"):
        run_options(path)


@pytest.mark.parametrize(
    ("own", "option", "expected"),
    [
        ({"crops": 10}, {"crops": "center"}, {"crops": None}),
        ({}, {"crops": "5"}, {"crops": 5}),
        ({"clip_fps": 15}, {"consecutive": True}, {"clip_fps": None, "consecutive": True}),
        ({"consecutive": True}, {"clip_fps": "7/3"}, {"clip_fps": Fraction(7, 3), "consecutive": None}),
    ],
)
def test_an_option_replaces_what_excludes_it(own, option, expected):
    recipe = recipe_of(Recipe(**own), option)
    assert {name: getattr(recipe, name) for name in expected} == expected
    with pytest.raises(UsageError, match="exclude each other"):
        recipe_of(Recipe(), {"clip_fps": 5, "consecutive": True})
