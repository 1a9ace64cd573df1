"""What a store holds in numbers, and what went wrong in it: computed from its small tables, without a vector."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from visfeat.recipe import Recipe
from visfeat.store.records import Status, StoredRecipe

_IN_SAMPLING = {"every_frame", "keyframes"}
"""What the words on sampling say anyway."""
_WRONG = (Status.FAILED.value, Status.PARTIAL.value)


def failures(items: pa.Table, extractions: pa.Table) -> list[dict[str, str | None]]:
    """One entry a URI and recipe that is failed or partial; ``recipe`` is None where reading failed before any."""
    extracted = pc.unique(extractions["content_hash"])
    by_hash: dict[str | None, list[dict[str, Any]]] = defaultdict(list)
    for extraction in extractions.filter(_is_wrong(extractions["status"])).to_pylist():
        by_hash[extraction["content_hash"]].append(extraction)
    unread = pc.and_(_is_wrong(items["status"]), pc.invert(pc.is_in(items["content_hash"], value_set=extracted)))
    failed = pc.is_in(items["content_hash"], value_set=pa.array(list(by_hash), pa.string()))
    found = []
    for item in items.filter(pc.or_(unread, failed)).select(["uri", "content_hash", "status", "reason"]).to_pylist():
        wrong = by_hash.get(item["content_hash"], [item])
        found += [
            {"uri": item["uri"], "status": one["status"], "reason": one["reason"], "recipe": one.get("recipe_digest")}
            for one in sorted(wrong, key=lambda one: one.get("recipe_digest") or "")
        ]
    return found


def _is_wrong(status: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.is_in(status, value_set=pa.array(_WRONG))


def info(items: pa.Table, extractions: pa.Table, recipes: Sequence[StoredRecipe]) -> dict[str, Any]:
    """Items by status and kind; of each recipe its contents by status and its rows, copies included."""
    copies = Counter(items["content_hash"].to_pylist())
    by_recipe: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for extraction in extractions.to_pylist():
        by_recipe[extraction["recipe_digest"]].append(extraction)
    return {
        "items": {
            "total": items.num_rows,
            "by_status": _counted(items["status"]),
            "by_kind": _counted(items["kind"]),
        },
        "recipes": [_recipe_info(stored, by_recipe[stored.digest], copies) for stored in recipes],
    }


def _recipe_info(stored: StoredRecipe, extractions: Sequence[dict[str, Any]], copies: Counter[str]) -> dict[str, Any]:
    rows = sum(
        one["num_rows"] * copies[one["content_hash"]] for one in extractions if one["status"] != Status.FAILED.value
    )
    return {
        "digest": stored.digest,
        "name": stored.recipe.name,
        "model": stored.recipe.model,
        "created_at": stored.created_at,
        "options": {
            "sampling": _sampling(stored.recipe),
            **stored.recipe.model_dump(mode="json", exclude_none=True, exclude={"name", "model", *_IN_SAMPLING}),
        },
        "contents": dict(sorted(Counter(one["status"] for one in extractions).items())),
        "layers": [{"layer": one.layer, "shape": list(one.shape), "rows": rows} for one in stored.layers],
        "facts": dict(stored.facts),
    }


def _sampling(recipe: Recipe) -> str:
    """Which frames a recipe takes of a video, also where nobody chose."""
    if recipe.clip is None:
        return recipe.sampling
    pace = "of consecutive frames" if recipe.clip_fps is None else f"at {recipe.clip_fps} frames a second"
    return f"clips of {recipe.clip} frames {pace}, every {recipe.stride or recipe.clip}"


def _counted(column: pa.ChunkedArray) -> dict[str, int]:
    """Values and how often each occurs, those that are not known left out."""
    return dict(sorted(Counter(value for value in column.to_pylist() if value is not None).items()))
