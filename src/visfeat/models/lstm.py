"""Trained sequence models: an LSTM over the rows of a frame recipe; ``--model lstm:RUN`` is both in one word.

The run's ``model.toml`` has a table ``[recipe]``, whose rows the LSTM reads, and a table ``[sequence]`` whose ``pool``
says what is made of its states: the ``last`` one, or their mean by learned ``attention``. Where the recipe's network
is a file or another run, it is named by its path, absolute or from the run's folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visfeat.errors import ModelError, UsageError
from visfeat.models.packed import SUFFIX
from visfeat.models.runs import CARD, RUNS, SEQUENCE, SOURCE, is_run, read_card, run_folder
from visfeat.recipe import SAMPLING_FIELDS, TEMPORAL_FIELDS, Recipe, in_fields

PREFIX = "lstm:"
_FILES = (SUFFIX, ".onnx", ".xml")
_KINDS, _POOLS = ("lstm", "lstm_autoencoder"), ("last", "attention")


@dataclass(frozen=True)
class SequenceRun:
    """A trained sequence model as its folder holds it."""

    path: Path
    recipe: Recipe
    """Whose rows it reads; a network that is a file or a run is named by its path, where it is still there."""
    pool: str
    """last or attention."""

    @property
    def weights(self) -> Path:
        """The file of LSTM and attention, by torch's names."""
        return self.path / SEQUENCE


def read_run(name: str) -> SequenceRun:
    """A run by its folder, or by its name in the folder runs.

    Raises UnknownModel where there is none, ModelError that says what is missing or wrong in which file.
    """
    folder = run_folder(name)
    card = folder / CARD
    tables = read_card(folder)
    sequence, recipe = tables.get("sequence"), tables.get("recipe")
    if not isinstance(sequence, dict) or not isinstance(recipe, dict):
        raise ModelError(f"{card}: no sequence model, it has no [sequence] and [recipe]; --model {name} may run it")
    kind, pool = sequence.get("kind", "lstm"), sequence.get("pool", "last")
    if kind not in _KINDS or pool not in _POOLS:
        raise ModelError(f"{card}: [sequence] kind is one of {_KINDS} and pool of {_POOLS}; got {kind!r} and {pool!r}")
    return SequenceRun(folder, _recipe(card, recipe), pool)


def with_run(recipe: Recipe) -> Recipe:
    """A recipe whose model is ``lstm:RUN`` as the run's own recipe with the LSTM on top; any other as it is.

    What the recipe says otherwise than a new one stays: ``--model lstm:RUN --every 0.5s``. Raises as ``read_run`` does.
    """
    if not recipe.model.startswith(PREFIX):
        return recipe
    name = recipe.model.removeprefix(PREFIX)
    said = _said(recipe)
    for field in ("temporal", "temporal_model"):
        if field in said:
            raise UsageError(f"--{field.replace('_', '-')}: --model {recipe.model} says it already")
    base = _frame_recipe(name)
    if said.keys() & set(SAMPLING_FIELDS):
        said = dict.fromkeys(SAMPLING_FIELDS) | {"every_frame": False, "keyframes": False} | said
    return base.but(**(said | {"temporal": "lstm", "temporal_model": name}))


def rows_model(model: str) -> str:
    """The network whose rows an ``lstm:RUN`` reads; any other model as it is. Raises as ``read_run`` does."""
    return _frame_recipe(model.removeprefix(PREFIX)).model if model.startswith(PREFIX) else model


def sequence_runs() -> list[str]:
    """``lstm:NAME`` of each sequence model in the folder runs, where there is one."""
    folders = sorted(path.parent for path in Path(RUNS).glob(f"*/{CARD}"))
    return [PREFIX + folder.name for folder in folders if _is_sequence(folder)]


def _is_sequence(folder: Path) -> bool:
    try:
        return "sequence" in read_card(folder)
    except ModelError:
        return False  # a damaged card is said by whoever asks for that run


def refuse_pooled(recipe: Recipe) -> None:
    """Raise UsageError for a recipe that has no rows of its own, where only rows can be made."""
    if recipe.model.startswith(PREFIX) or recipe.rows_recipe is not recipe:
        said = recipe.temporal or recipe.segments or recipe.model
        raise UsageError(f"{said}: rows are pooled over time in a store (visfeat extract) or by an Extractor, not here")


def _said(recipe: Recipe) -> dict[str, Any]:
    """The fields that differ from those of a recipe of which nothing was said, without the model."""
    untouched = Recipe()
    names = [name for name in Recipe.model_fields if name != "model"]
    return {name: getattr(recipe, name) for name in names if getattr(recipe, name) != getattr(untouched, name)}


def _recipe(card: Path, options: dict[str, Any]) -> Recipe:
    try:
        recipe = Recipe.from_options(**in_fields(options))
    except UsageError as error:
        raise ModelError(f"{card}: [recipe] {error}") from None
    if recipe.model.startswith(PREFIX) or any(getattr(recipe, field) is not None for field in TEMPORAL_FIELDS):
        raise ModelError(f"{card}: [recipe] must be one of rows, without segments and temporal pooling")
    return recipe.but(model=_found(card.parent, recipe.model))


def _found(folder: Path, model: str) -> str:
    """A network that was named from a run's folder by its path; a run by its name is looked for beside that run."""
    path = folder / model
    if model.startswith(SOURCE):
        path = folder.parent / model.removeprefix(SOURCE)
    if path == folder or not (path.is_file() or is_run(str(path))):
        return model
    return str(path.resolve() if ".." in path.parts else path)


def _frame_recipe(name: str) -> Recipe:
    """The recipe whose rows a run reads, for those who make them; raises ModelError where its network is gone."""
    run = read_run(name)
    if _is_gone(run.recipe.model):
        raise ModelError(
            f"{run.path / CARD}: it reads rows of the network {run.recipe.model}, which is not there any more; put it "
            "there again, or say in [recipe] model where it is now"
        )
    return run.recipe


def _is_gone(model: str) -> bool:
    """Whether a network that is a file or a run is not where its name says; of sources' networks nothing is asked."""
    path = Path(model.removeprefix(SOURCE)).expanduser()
    is_place = model.startswith(SOURCE) or path.is_absolute() or ".." in path.parts or path.suffix in _FILES
    return is_place and not (path.is_file() or is_run(str(path)) or is_run(str(Path(RUNS) / path)))
