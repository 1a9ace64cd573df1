"""``lstm:RUN``: a trained run's folder becomes a frame recipe with its LSTM on top."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tomli_w
from safetensors.numpy import save_file

from visfeat.engine.loading import card_of
from visfeat.engine.prepare import prepare
from visfeat.errors import ModelError, UnknownModel, UsageError
from visfeat.models.lstm import read_run, with_run
from visfeat.models.registry import load_model, model_names
from visfeat.recipe import Recipe
from visfeat.temporal.attention import attention_of, random_attention
from visfeat.temporal.lstm import lstm_of, random_lstm
from visfeat.temporal.pooling import resolve_pooled

FRAMES = Recipe(model="fake/net", weights_digest="ab", layers=("pool",), every_s=0.5)
WIDTH, HIDDEN = 4, 3


def weights_of(*, attention: bool) -> dict[str, np.ndarray]:
    weights = random_lstm(WIDTH, hidden=HIDDEN, layers=2, bidirectional=True, seed=0)
    if attention:
        weights |= {f"attention.{name}": value for name, value in random_attention(2 * HIDDEN, seed=1).items()}
    return weights | {"fc.weight": np.zeros((5, 2 * HIDDEN)), "fc.bias": np.zeros(5)}


def run_in(folder: Path, *, pool: str = "last", sequence: dict | None = None, recipe: dict | None = None) -> Path:
    """A run's folder as training leaves it."""
    folder.mkdir()
    said = {"kind": "lstm", "features": WIDTH, "hidden": HIDDEN, "layers": 2, "bidirectional": True, "pool": pool}
    card = {
        "name": "moves",
        "sequence": said if sequence is None else sequence,
        "recipe": FRAMES.model_dump(mode="json", exclude_none=True) if recipe is None else recipe,
    }
    (folder / "model.toml").write_text(tomli_w.dumps(card))
    save_file(weights_of(attention=pool == "attention"), folder / "sequence.safetensors")
    return folder


def test_a_run_is_its_frame_recipe_with_its_lstm(tmp_path: Path) -> None:
    run = run_in(tmp_path / "moves")
    wanted = with_run(Recipe(model=f"lstm:{run}"))
    assert wanted.rows_recipe.digest == FRAMES.digest
    assert (wanted.temporal, wanted.temporal_model) == ("lstm", str(run))


def test_other_models_stay_as_they_are() -> None:
    assert with_run(FRAMES) is FRAMES


def test_what_the_recipe_says_stands_above_what_the_run_says(tmp_path: Path) -> None:
    run = run_in(tmp_path / "moves")
    wanted = with_run(Recipe(model=f"lstm:{run}", fps=4, segments="shots", temporal_rows="steps", name="mine"))
    assert wanted.sampling == "every 1/4 s"
    assert (wanted.segments, wanted.temporal_rows, wanted.name) == ("shots", "steps", "mine")
    assert wanted.layers == ("pool",)


def test_a_run_says_the_temporal_model_itself(tmp_path: Path) -> None:
    run = run_in(tmp_path / "moves")
    with pytest.raises(UsageError, match="--temporal-model: --model lstm:.* says it already"):
        with_run(Recipe(model=f"lstm:{run}", temporal_model="random:0"))


@pytest.mark.parametrize("pool", ["last", "attention"])
def test_the_pooled_row_is_what_the_runs_head_saw(tmp_path: Path, pool: str) -> None:
    wanted = with_run(Recipe(model=f"lstm:{run_in(tmp_path / 'moves', pool=pool)}"))
    pooling = resolve_pooled(wanted, FRAMES, {"pool": (WIDTH,)}).poolings["pool"]
    rows = np.random.default_rng(0).standard_normal((6, WIDTH)).astype(np.float32)
    weights = weights_of(attention=True)
    states, _ = lstm_of(weights, subject="x").run(rows)
    last = np.concatenate([states[-1, :HIDDEN], states[0, HIDDEN:]])
    expected = last if pool == "last" else attention_of(weights, subject="x")(states)
    np.testing.assert_allclose(pooling.apply(rows), expected)
    assert pooling.shape == (2 * HIDDEN,)


def test_ways_of_pooling_states_are_other_digests(tmp_path: Path) -> None:
    save = [run_in(tmp_path / pool, pool=pool) for pool in ("last", "attention")]
    # The same weights in both: only what is made of the states differs.
    (save[0] / "sequence.safetensors").write_bytes((save[1] / "sequence.safetensors").read_bytes())
    digests = {
        resolve_pooled(with_run(Recipe(model=f"lstm:{run}")), FRAMES, {"pool": (4,)}).recipe.digest for run in save
    }
    assert len(digests) == 2


def test_rows_of_other_weights_are_refused(tmp_path: Path) -> None:
    wanted = with_run(Recipe(model=f"lstm:{run_in(tmp_path / 'moves')}"))
    with pytest.raises(ModelError, match="was trained on rows of other weights"):
        resolve_pooled(wanted, FRAMES.but(weights_digest="cd"), {"pool": (WIDTH,)})


def test_a_network_that_was_trained_with_it_lies_in_its_folder(tmp_path: Path) -> None:
    run = run_in(tmp_path / "moves", recipe={"model": "backbone.vfmodel"})
    (run / "backbone.vfmodel").write_bytes(b"")
    assert with_run(Recipe(model=f"lstm:{run}")).model == str(run / "backbone.vfmodel")


def test_a_network_that_is_another_run_is_named_from_the_runs_folder(tmp_path: Path) -> None:
    run = run_in(tmp_path / "moves", recipe={"model": "../frames"})
    frames = run_in(tmp_path / "frames")
    assert with_run(Recipe(model=f"lstm:{run}")).model == str(frames.resolve())
    tmp_path.joinpath("runs").mkdir()
    for one in (run, frames):
        one.rename(tmp_path / "runs" / one.name)
    moved = with_run(Recipe(model=f"lstm:{tmp_path / 'runs' / 'moves'}"))
    assert moved.model == str((tmp_path / "runs" / "frames").resolve())


def test_a_run_by_its_name_is_looked_for_beside_the_run_that_reads_its_rows(tmp_path: Path) -> None:
    run = run_in(tmp_path / "moves", recipe={"model": "run/frames"})
    frames = run_in(tmp_path / "frames")
    assert with_run(Recipe(model=f"lstm:{run}")).model == str(frames)


@pytest.mark.parametrize("model", ["run/frames", "../frames", "/nowhere/frames", "backbone.vfmodel"])
def test_a_network_that_is_gone_is_named_where_rows_are_to_be_made(tmp_path: Path, model: str) -> None:
    run = run_in(tmp_path / "moves", recipe={"model": model, "weights_digest": "ab"})
    for asked in (lambda: with_run(Recipe(model=f"lstm:{run}")), lambda: card_of(f"lstm:{run}")):
        with pytest.raises(ModelError, match=f"model.toml: it reads rows of the network {model}, which is not there"):
            asked()
    # Rows that are there already need no network.
    wanted = FRAMES.but(temporal="lstm", temporal_model=str(run))
    assert resolve_pooled(wanted, FRAMES, {"pool": (WIDTH,)}).recipe.temporal_model == str(run)


def test_recipes_are_read_in_the_words_of_the_command_line(tmp_path: Path) -> None:
    run = run_in(tmp_path / "moves", recipe={"model": "fake/net", "every": "500ms"})
    assert read_run(str(run)).recipe.interval_s == FRAMES.interval_s


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"recipe": {"model": "fake/net", "temporal": "mean"}}, "must be one of rows"),
        ({"recipe": {"model": "lstm:runs/other"}}, "must be one of rows"),
        ({"recipe": {"modell": "fake/net"}}, r"\[recipe\] there is no option 'modell'"),
        ({"sequence": {"kind": "gru", "pool": "last"}}, "got 'gru'"),
        ({"sequence": {"kind": "lstm", "pool": "first"}}, "got 'lstm' and 'first'"),
    ],
)
def test_cards_that_are_wrong_are_named(tmp_path: Path, change: dict, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        read_run(str(run_in(tmp_path / "moves", **change)))


def test_a_run_of_pictures_is_no_sequence_model(tmp_path: Path) -> None:
    run = run_in(tmp_path / "moves")
    (run / "model.toml").write_text(tomli_w.dumps({"name": "digits"}))
    with pytest.raises(ModelError, match="no sequence model"):
        read_run(str(run))


def test_runs_are_listed_and_show_the_layers_of_their_network(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "runs" / "broken").mkdir(parents=True)
    (tmp_path / "runs" / "broken" / "model.toml").write_text("[")
    run_in(tmp_path / "runs" / "moves", recipe={"model": "bundled/efficientnet_lite0"})
    monkeypatch.chdir(tmp_path)
    assert model_names("lstm:*") == ["lstm:moves"]
    assert card_of("lstm:moves").name == "bundled/efficientnet_lite0"


@pytest.mark.parametrize(
    "recipe", [Recipe(model="lstm:moves"), FRAMES.but(temporal="mean"), FRAMES.but(segments="shots")]
)
def test_what_makes_rows_alone_refuses_to_pool_them(recipe: Recipe) -> None:
    with pytest.raises(UsageError, match="rows are pooled over time in a store"):
        prepare(recipe)


def test_only_extraction_runs_an_lstm() -> None:
    with pytest.raises(UnknownModel, match="visfeat extract --model lstm:moves runs both"):
        load_model("lstm:moves")


def test_no_run_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(UnknownModel, match="no trained run"):
        with_run(Recipe(model=f"lstm:{tmp_path}"))
