"""``evaluate``: how well a run's packed model does on labeled data; without torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.engine.prepare import Prepared, prepare
from visfeat.errors import ModelError, UsageError
from visfeat.models.runs import SETTINGS, run_folder
from visfeat.recipe import Recipe
from visfeat.train.data.loading import load_samples
from visfeat.train.data.samples import Samples
from visfeat.train.metrics import (
    TOP,
    Interval,
    bootstrap,
    confusion_matrix,
    multilabel,
    per_class,
    softmax,
    top_k,
)
from visfeat.train.run_card import RunCard
from visfeat.train.settings import Settings

Report = Callable[[str], None]
MOST_MISTAKES = 50


@dataclass(frozen=True)
class Mistake:
    """A file that was taken for another class, with the probability that the network gave to it."""

    uri: str
    label: str
    predicted: str
    probability: float


@dataclass(frozen=True)
class Evaluation:
    """What came out. A file counts once: the probabilities of its clips or frames are averaged."""

    run: str
    data: tuple[str, ...]
    split: str
    """val or test of the run's own data, "all" of other data."""
    files: int
    samples: int
    classes: tuple[str, ...]
    metrics: dict[str, Interval]
    of_class: dict[str, dict[str, float]]
    """Class -> precision, recall, f1 and files."""
    confusion: tuple[tuple[int, ...], ...]
    """Row the true class, column the predicted one; empty for several labels at once."""
    mistakes: tuple[Mistake, ...]
    """The surest ones first."""
    rejected: tuple[tuple[str, str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``json.dumps``."""
        return asdict(self)


def evaluate(run: str, data: tuple[str, ...] = (), *, report: Report = lambda _: None) -> Evaluation:
    """Measure a run on its own test split (its validation split where it has none), or on all of other data.

    Raises UnknownModel, ModelError, and UsageError for data with classes that the run does not know.
    """
    folder = run_folder(run)
    card = RunCard.load(folder)
    if card.input is None or card.not_packed is not None:
        raise ModelError(f"{run}: has no packed network to evaluate ({card.not_packed or 'it reads stored features'})")
    settings = Settings.from_toml(folder / SETTINGS)
    if data:
        settings = settings.model_copy(update={"data": data, "val": 0.0, "test": 0.0})
    samples = load_samples(settings, card.input, folder / "cache", report=report, check=False)
    unknown = sorted(set(samples.classes) - set(card.classes))
    if unknown:
        raise UsageError(
            f"{', '.join(unknown[:5])}: classes that {run} was not trained on ({', '.join(card.classes[:20])})"
        )
    split = "all" if data else "test" if card.data.splits.get("test") else "val"
    indices = np.arange(len(samples.source_of)) if split == "all" else samples.indices(split)  # type: ignore[arg-type]
    if not len(indices):
        raise UsageError(f"{run}: has no split that it was not trained on; name labeled data to evaluate it on")
    prepared = prepare(Recipe(model=str(folder), layers=(_logits_layer(folder),)))
    logits = _logits(prepared, samples, indices)
    return _evaluation(run, settings, card, samples, indices, split, logits)


def _logits_layer(folder: Path) -> str:
    from visfeat.models.packed import PackedModel
    from visfeat.models.runs import PACKED

    layer = PackedModel.load(folder / PACKED).card.logits_layer
    if layer is None:
        raise ModelError(f"{folder}: its network gives no classes")
    return layer


def _logits(prepared: Prepared, samples: Samples, indices: NDArray[np.int64]) -> NDArray[np.float32]:
    """Logits float32 ``(N, classes)`` of these samples, by the packed network."""
    size = prepared.network.batch_size
    layer = (prepared.recipe.layers or ())[0]

    def batches() -> Iterator[tuple[int, NDArray[np.uint8]]]:
        for number, start in enumerate(range(0, len(indices), size)):
            pixels = samples.pixels.take(indices[start : start + size])
            padding = [(0, size - len(pixels)), *[(0, 0)] * (pixels.ndim - 1)]
            yield number, np.pad(pixels, padding)

    found = {number: np.asarray(outputs[layer]) for number, outputs in prepared.network.stream(batches())}
    values = np.concatenate([found[number] for number in sorted(found)])[: len(indices)]
    return values.reshape(len(indices), -1).astype(np.float32)


def _evaluation(
    run: str,
    settings: Settings,
    card: RunCard,
    samples: Samples,
    indices: NDArray[np.int64],
    split: str,
    logits: NDArray[np.float32],
) -> Evaluation:
    # A file's classes by the run's numbers, whatever the data's own are.
    of_run = Samples(samples.pixels, samples.source_of, samples.sources, card.classes, multilabel=card.multilabel)
    sources, first = np.unique(samples.source_of[indices], return_index=True)
    targets: NDArray[Any] = of_run.targets()[indices][first]
    place = np.searchsorted(sources, samples.source_of[indices])
    probabilities = 1 / (1 + np.exp(-logits)) if card.multilabel else softmax(logits)
    mean = np.zeros((len(sources), len(card.classes)))
    np.add.at(mean, place, probabilities)
    mean /= np.bincount(place)[:, None]
    groups = np.array([_group_number(samples, n) for n in sources])
    files = [samples.sources[n].uri for n in sources]
    common: dict[str, Any] = {
        "run": run,
        "data": settings.data,
        "split": split,
        "files": len(sources),
        "samples": len(indices),
        "classes": card.classes,
        "rejected": samples.rejected,
    }
    if card.multilabel:
        return Evaluation(metrics=_multilabel(targets, mean, groups), of_class={}, confusion=(), mistakes=(), **common)
    matrix = confusion_matrix(targets, mean.argmax(axis=1), len(card.classes))
    scores = per_class(matrix)
    of_class = {
        name: {key: float(values[n]) for key, values in scores.items()} | {"files": int(matrix[n].sum())}
        for n, name in enumerate(card.classes)
    }
    return Evaluation(
        metrics=_metrics(targets, mean, groups),
        of_class=of_class,
        confusion=tuple(tuple(row) for row in matrix.tolist()),
        mistakes=_mistakes(files, targets, mean, card.classes),
        **common,
    )


def _group_number(samples: Samples, source: int) -> str:
    one = samples.sources[source]
    return one.group or one.content_hash


def _metrics(targets: NDArray[np.int64], mean: NDArray[np.float64], groups: NDArray[Any]) -> dict[str, Interval]:
    """Top-1, top-5 where there are more classes, and mean F1 with their intervals."""
    classes = mean.shape[1]
    predicted = mean.argmax(axis=1)
    right = top_k(targets, mean, 1)

    def f1(chosen: NDArray[np.int64]) -> float:
        return float(
            per_class(confusion_matrix(targets[chosen], predicted[chosen], classes))["f1"][
                np.unique(targets[chosen])
            ].mean()
        )

    found = {"top1": bootstrap(groups, lambda chosen: float(right[chosen].mean()))}
    if classes > TOP:
        among = top_k(targets, mean, TOP)
        found["top5"] = bootstrap(groups, lambda chosen: float(among[chosen].mean()))
    found["macro_f1"] = bootstrap(groups, f1)
    return found


def _multilabel(targets: NDArray[Any], mean: NDArray[np.float64], groups: NDArray[Any]) -> dict[str, Interval]:
    names = tuple(multilabel(targets, mean - 0.5))
    return {
        name: bootstrap(groups, lambda chosen, name=name: multilabel(targets[chosen], mean[chosen] - 0.5)[name])  # type: ignore[misc]
        for name in names
    }


def _mistakes(
    files: list[str], targets: NDArray[np.int64], mean: NDArray[np.float64], classes: tuple[str, ...]
) -> tuple[Mistake, ...]:
    predicted = mean.argmax(axis=1)
    wrong = np.flatnonzero(predicted != targets)
    surest = wrong[np.argsort(-mean[wrong, predicted[wrong]], kind="stable")][:MOST_MISTAKES]
    return tuple(
        Mistake(files[n], classes[targets[n]], classes[predicted[n]], float(mean[n, predicted[n]])) for n in surest
    )
