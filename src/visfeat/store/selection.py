"""Which recipe and layer is meant: by model, layer, and a recipe's digest, its beginning, or its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from visfeat.errors import UsageError
from visfeat.store.records import LayerShape, StoredRecipe
from visfeat.store.schemas import features_table_name

_IN_EVERY_LINE = {"name", "model", "layers"}
_SHOWN = 4
"""How many spaces an error lists."""


@dataclass(frozen=True, slots=True)
class Space:
    """One layer of one recipe: vectors that can be compared with each other."""

    stored: StoredRecipe
    layer: LayerShape

    @property
    def table_name(self) -> str:
        """The table that holds its rows."""
        return features_table_name(self.stored.digest, self.layer.layer)

    def __str__(self) -> str:
        name = f" ({self.stored.recipe.name})" if self.stored.recipe.name else ""
        return f"recipe {self.stored.digest}{name}, model {self.stored.recipe.model}, layer {self.layer.layer}"


def spaces(
    recipes: Sequence[StoredRecipe], *, model: str | None = None, layer: str | None = None, recipe: str | None = None
) -> list[Space]:
    """The spaces that fit what was asked for; raises UsageError, which lists what there is, where none does."""
    known = [Space(stored, shape) for stored in recipes for shape in stored.layers]
    found = [space for space in known if _fits(space, model=model, layer=layer, recipe=recipe)]
    if found:
        return found
    if not known:
        raise UsageError("the store holds no features yet; visfeat extract FOLDER --store STORE makes some")
    asked = {"model": model, "layer": layer, "recipe": recipe}
    wanted = ", ".join(f"{option} {value}" for option, value in asked.items() if value is not None)
    raise UsageError(f"the store has no features of {wanted}; it has:{_listed(known)}")


def one_space(
    recipes: Sequence[StoredRecipe], *, model: str | None = None, layer: str | None = None, recipe: str | None = None
) -> Space:
    """The only space that fits; raises UsageError, which lists them, where several do."""
    return only(spaces(recipes, model=model, layer=layer, recipe=recipe))


def only(found: Sequence[Space]) -> Space:
    """The space where there is one; raises UsageError, which lists the first of them, where there are several."""
    if len(found) > 1:
        raise UsageError(f"several features fit; say which by model, layer or recipe:{_listed(found)}")
    return found[0]


def _fits(space: Space, *, model: str | None, layer: str | None, recipe: str | None) -> bool:
    return (
        (model is None or space.stored.recipe.model == model)
        and (layer is None or space.layer.layer == layer)
        and (recipe is None or space.stored.goes_by(recipe))
    )


def _listed(found: Sequence[Space]) -> str:
    """One line for each of the first spaces, with the options in which its recipe differs from the others of these."""
    shown = found[:_SHOWN]
    options = [space.stored.recipe.model_dump(mode="json", exclude=_IN_EVERY_LINE) for space in shown]
    differing = [name for name in options[0] if any(one[name] != options[0][name] for one in options)]
    # What a digest stands for says it better, where that differs too.
    differing = [name for name in differing if name.removesuffix("_digest") not in set(differing) - {name}]
    lines = []
    for space, values in zip(shown, options, strict=True):
        said = [f", {name} {values[name]}" for name in differing if values[name] not in (None, False)]
        lines.append(f"\n  {space}" + "".join(said))
    if len(found) > len(shown):
        lines.append(f"\n  and {len(found) - len(shown)} more; visfeat info STORE lists all")
    return "".join(lines)
