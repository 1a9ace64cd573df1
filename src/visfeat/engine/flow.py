"""From a recipe's words on flow to the way of estimating it, checked against what the network sees."""

from __future__ import annotations

from visfeat.card import ModelCard
from visfeat.errors import UsageError
from visfeat.flow.dis import DisFlow
from visfeat.flow.field import FlowEstimator
from visfeat.recipe import Recipe


def with_flow(recipe: Recipe, card: ModelCard) -> tuple[Recipe, FlowEstimator | None]:
    """The recipe with its fields of flow filled, and the estimator of a network over flow.

    The fields stay open for a network of pixels. Raises UsageError where recipe and network do not go together,
    MissingExtra without OpenCV, ModelError and WeightsMismatch for RAFT's weights.
    """
    _check(recipe, card)
    if card.input.kind != "flow":
        return recipe.but(input=None), None
    how = recipe.flow or ("dis" if recipe.flow_weights is None else "raft")
    estimator, digest = estimator_of(how, recipe.flow_weights)
    return recipe.but(input="flow", flow=how, flow_weights_digest=digest), estimator


def _check(recipe: Recipe, card: ModelCard) -> None:
    kind, channels = card.input.kind or "rgb", card.input.channels
    if recipe.input == "flow" and kind != "flow":
        raise UsageError(
            f"--input flow: {card.name} sees pixels; a network of two channels sees flow, such as i3d/flow, or "
            "classic/hof"
        )
    if recipe.input == "rgb" and kind == "flow":
        raise UsageError(f"--input rgb: {card.name} sees optical flow")
    for option, given in (("flow", recipe.flow), ("flow-weights", recipe.flow_weights)):
        if given is not None and kind != "flow":
            raise UsageError(f"--{option} {given}: {card.name} sees pixels, not optical flow")
    for option, numbers in (("mean", recipe.mean), ("std", recipe.std)):
        if numbers is not None and len(numbers) != channels:
            raise UsageError(f"--{option}: {card.name} sees {channels} channels, so it needs {channels} numbers")


def estimator_of(how: str, weights: str | None) -> tuple[FlowEstimator, str | None]:
    """The estimator of that name, and the digest of its weights; raises as ``with_flow`` does."""
    if how == "dis":
        if weights is not None:
            raise UsageError(f"--flow-weights {weights}: dis has no weights; say --flow raft")
        return DisFlow(), None
    if how != "raft":
        raise UsageError(f"--flow {how}: there are dis and raft")
    if weights is None:
        raise UsageError("--flow raft: say --flow-weights FILE (torchvision's raft_small or raft_large) or random:SEED")
    from visfeat.engine.raft import RaftFlow

    raft = RaftFlow.load(weights)
    return raft, raft.digest
