"""Which spaces are compared: that of a store, the same of another store, and the same in a mirror."""

from __future__ import annotations

from visfeat.errors import UsageError
from visfeat.presets import COPIES
from visfeat.store.feature_store import FeatureStore
from visfeat.store.selection import Space, only


def space_of(store: FeatureStore, model: str | None, layer: str | None, recipe: str | None) -> Space:
    """The space that fits; where several do, that of the preset for copies. Raises UsageError, which lists them."""
    found = store.spaces(model, layer, recipe)
    straight = [space for space in found if not space.stored.recipe.mirror] or found
    made_for_it = [space for space in straight if space.stored.recipe.name == COPIES]
    return only(made_for_it if len(made_for_it) == 1 else straight)


def same_space(store: FeatureStore, space: Space) -> Space:
    """The space of another store whose rows can be compared; raises UsageError, which lists what there is."""
    for other in store.spaces():
        if other.table_name == space.table_name:
            return other
    listed = "".join(f"\n  {other}" for other in store.spaces()[:4])
    raise UsageError(
        f"--against {store.path}: has no rows of {space}, and others cannot be compared with them; extract its media "
        f"with that recipe; it has:{listed}"
    )


def mirrored_space(store: FeatureStore, space: Space) -> Space:
    """The space of the same recipe in a mirror; raises UsageError, which says how to make it."""
    wanted = space.stored.recipe.but(mirror=None if space.stored.recipe.mirror else True)
    for other in store.spaces():
        if other.stored.recipe.digest == wanted.digest and other.layer.layer == space.layer.layer:
            return other
    how = (
        "--preset visfeat/copies+mirrored"
        if space.stored.recipe.name == COPIES
        else "the options of that recipe and --mirror"
    )
    raise UsageError(
        f"--mirrored: {store.path} has no rows of pictures in a mirror for {space}; make them with "
        f"visfeat extract MEDIA --store {store.path.name} and {how}"
    )


def what_it_sees(space: Space) -> str | None:
    """A remark on a recipe that does not see the whole picture; None where it does."""
    recipe = space.stored.recipe
    if recipe.crop is not None:
        return "this recipe looks at a part of each picture (--crop); what lies outside of it does not count"
    if recipe.fit == "crop":
        return (
            "this recipe looks at the center of each picture (--fit crop); what is cut off there does not count, and "
            "cropped or letterboxed copies are found less often than with --preset visfeat/copies"
        )
    return None
