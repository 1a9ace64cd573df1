"""From a recipe as the user wrote it to a compiled network and the recipe with every field filled in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from visfeat.card import InputSpec, LayerSpec, ModelCard
from visfeat.engine.flow import with_flow
from visfeat.engine.loading import Report, choose_device, load_for_engine
from visfeat.engine.network import Engine, Network, NetworkOptions
from visfeat.engine.resolve_shots import shot_fields
from visfeat.errors import EngineError, UsageError
from visfeat.flow.field import FlowEstimator
from visfeat.models.lstm import refuse_pooled
from visfeat.models.registry import place_of
from visfeat.plugins import plugin
from visfeat.pool import check_pool, default_pool, pooled_shape
from visfeat.preprocess import Preprocessor
from visfeat.recipe import SAMPLING_FIELDS, Pool, Recipe
from visfeat.resize import HAS_FAST_RESIZER
from visfeat.views import with_views

_OPTIONS = {"clip_fps": "clip-fps", "consecutive": "clip-frames", "pool_time": "pool-time"}


MODEL_PATH = "model_path"
"""The fact that says where a model lay: the recipe has only its name, wherever it lies."""
_ROW_BY_ROW = ("openvino", "classic")
"""Engines whose numbers do not depend on the batch size; of others nobody knows."""


@dataclass(frozen=True)
class Prepared:
    """A recipe with nothing left open, and the network that computes it."""

    recipe: Recipe
    card: ModelCard
    network: Network
    facts: dict[str, str]
    """Engine, device and versions: what a reader needs to trust the numbers."""
    flow: FlowEstimator | None = None
    """How flow is estimated, for a network that sees it."""

    @property
    def layers(self) -> tuple[LayerSpec, ...]:
        """The layers whose features are kept, without the one that only gives class names."""
        return tuple(self.card.layer(name) for name in self.recipe.layers or ())

    @property
    def pools(self) -> tuple[Pool, ...]:
        """The pooling of each layer."""
        assert isinstance(self.recipe.pool, tuple)
        return self.recipe.pool

    @property
    def row_shapes(self) -> dict[str, tuple[int, ...]]:
        """Layer -> shape of one row after pooling."""
        over_time = self.recipe.pool_time
        pairs = zip(self.layers, self.pools, strict=True)
        apart = (self.views,) if self.recipe.crops_apart else ()
        return {spec.name: (*apart, *pooled_shape(spec, how, over_time)) for spec, how in pairs}

    @property
    def views(self) -> int:
        """How many of a batch's inputs are views of one row."""
        return self.recipe.crops or 1

    @property
    def rows_per_batch(self) -> int:
        """How many rows a batch of the network holds, each with all its views."""
        return self.network.batch_size // self.views

    @property
    def preprocessor(self) -> Preprocessor:
        """How pictures become the network's input."""
        recipe = self.recipe
        spec = input_spec(recipe, self.card)
        return Preprocessor(
            spec,
            crop=recipe.crop,
            method=recipe.preprocess,
            crops=recipe.crops,
            trim=bool(recipe.trim),
            mirror=bool(recipe.mirror),
            flow=self.flow,
        )


def prepare(
    recipe: Recipe,
    *,
    threads: int | None = None,
    report: Report = lambda _: None,
    choose_layers: Callable[[ModelCard], tuple[str, ...]] | None = None,
) -> Prepared:
    """Load, pack where needed, and compile the recipe's model; fill the recipe's open fields.

    ``choose_layers`` chooses them where the recipe names none. ``report`` is told what takes long or was decided
    (packing, a module that runs on torch). Raises UnknownModel, UnknownLayer, UsageError, ModelError, EngineError or
    MissingExtra.
    """
    refuse_pooled(recipe)
    device = choose_device(recipe)
    model, engine = load_for_engine(recipe, device, report)
    if recipe.layers is None and choose_layers is not None:
        recipe = recipe.but(layers=choose_layers(model.card))
    recipe, flow = with_flow(recipe, model.card)
    resolved = resolve(recipe, model.card, engine=engine, device=device)
    layers = tuple(resolved.layers or ())
    if resolved.top and model.card.logits_layer not in layers:
        assert model.card.logits_layer is not None
        layers = (*layers, model.card.logits_layer)
    options = NetworkOptions(
        layers=layers,
        input=input_spec(resolved, model.card),
        device=device,
        precision=resolved.precision,
        batch_size=recipe.batch_size,
        threads=threads,
        batch_multiple=recipe.crops or 1,
    )
    compiler: Engine = plugin("visfeat.engines", engine).load()()
    network = compiler.compile(model, options)
    if network.batch_size % options.batch_multiple:
        raise EngineError(f"{engine}: a batch of {network.batch_size} cannot hold rows of {recipe.crops} crops each")
    if engine not in _ROW_BY_ROW:
        resolved = resolved.but(batch_size=network.batch_size)
    facts = dict(network.facts) | versions() | {f"packed_with_{k}": v for k, v in model.card.versions.items()}
    facts |= {} if flow is None else flow.facts
    place = place_of(recipe.model)
    facts |= {} if place is None else {MODEL_PATH: str(place)}
    return Prepared(resolved, model.card, network, facts, flow)


def resolve(recipe: Recipe, card: ModelCard, *, engine: str, device: str) -> Recipe:
    """Fill every open field, so that the digest names what is computed and not how it was asked for."""
    layers = recipe.layers or (card.default_layer,)
    specs = [card.layer(name) for name in layers]
    pools = recipe.pool if isinstance(recipe.pool, tuple) else (recipe.pool,) * len(layers)
    chosen = tuple(how or default_pool(card, name) for how, name in zip(pools, layers, strict=True))
    for layer, how in zip(specs, chosen, strict=True):
        check_pool(layer, how)
    if recipe.top and (card.logits_layer is None or not card.class_names):
        raise UsageError(f"--top {recipe.top}: {card.name} has no class names")
    if recipe.crops_apart and recipe.crops is None:
        raise UsageError("--crops-apart: of one view there is nothing to keep apart; say --crops 3, 5 or 10")
    spec = input_spec(recipe, card)
    return recipe.but(
        **_clip_fields(recipe, spec),
        **shot_fields(recipe),
        model=card.name,
        weights=card.weights,
        weights_digest=card.weights_digest,
        layers=layers,
        pool=chosen,
        normalize=card.normalize if recipe.normalize is None else recipe.normalize,
        size=None,
        fit=spec.fit,
        interpolation=spec.interpolation,
        mean=spec.mean,
        std=spec.std,
        input_size_px=spec.size_px,
        input_resize_px=spec.resize_px,
        crops_apart=recipe.crops_apart or None,
        trim=recipe.trim or None,
        mirror=recipe.mirror or None,
        engine=engine,
        device=device.partition(":")[0],
        batch_size=None,
    )


def _clip_fields(recipe: Recipe, spec: InputSpec) -> dict[str, Any]:
    """The fields of clips, filled for a network of clips; raises UsageError where the network has no use for one."""
    if spec.clip_frames == 1:
        for field in ("clip", "stride", "clip_fps", "consecutive", "tail", "pool_time"):
            if getattr(recipe, field) is not None:
                raise UsageError(f"--{_OPTIONS.get(field, field)}: {recipe.model} looks at one picture at a time")
        return {}
    for field in SAMPLING_FIELDS:
        if getattr(recipe, field):
            option = field.removesuffix("_s").replace("_", "-")
            raise UsageError(f"--{option}: {recipe.model} looks at clips; --clip-fps, --clip and --stride choose them")
    if spec.clip_lengths and spec.clip_frames not in spec.clip_lengths:
        lengths = ", ".join(str(length) for length in spec.clip_lengths)
        raise UsageError(f"--clip {spec.clip_frames}: {recipe.model} takes {lengths} frames")
    by_time = None if recipe.consecutive else recipe.clip_fps or spec.clip_fps
    return {
        "clip": spec.clip_frames,
        "stride": recipe.stride or spec.clip_frames,
        "clip_fps": by_time,
        "consecutive": True if by_time is None else None,
        "tail": recipe.tail or "overlap",
    }


def input_spec(recipe: Recipe, card: ModelCard) -> InputSpec:
    """The card's input with what the recipe says otherwise; another size keeps the card's crop ratio."""
    own = card.input
    size_px, resize_px = recipe.input_size_px or own.size_px, recipe.input_resize_px or own.resize_px
    if recipe.size is not None and recipe.input_size_px is None:
        size_px = (recipe.size, recipe.size)
        resize_px = recipe.size * own.resize_px // min(own.size_px)
    changes: dict[str, Any] = {"size_px": size_px, "resize_px": resize_px}
    if recipe.clip is not None and own.clip_frames > 1:
        changes["clip_frames"] = recipe.clip
    if own.resize_to_px is not None:
        height, width = (side * size_px[0] // own.size_px[0] for side in own.resize_to_px)
        # Another short side than its own replaces height and width.
        changes["resize_to_px"] = (height, width) if resize_px == min(height, width) else None
    for field in ("fit", "interpolation", "mean", "std"):
        value = getattr(recipe, field)
        if value is not None:
            changes[field] = value
    return with_views(own.model_copy(update=changes), recipe.crops)


def versions() -> dict[str, str]:
    """Versions of what the path from file to feature runs through."""
    names = ("visfeat", "av", "simplejpeg", "pillow", "numpy", "pylance")
    found = {name: version(name) for name in names}
    return found | {"resizer": f"cykooz-resizer {version('cykooz-resizer')}" if HAS_FAST_RESIZER else "pillow"}
