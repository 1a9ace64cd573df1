"""What a store holds in numbers, and what went wrong in it: computed from its small tables, without a vector."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from visfeat.store.records import Status, StoredRecipe

_WRONG = (Status.FAILED.value, Status.PARTIAL.value)


def failures(items: pa.Table, extractions: pa.Table) -> list[dict[str, str | None]]:
    """One entry a URI and recipe that is failed or partial; ``recipe`` is None where reading failed before any."""
    by_hash: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for extraction in extractions.to_pylist():
        by_hash[extraction["content_hash"]].append(extraction)
    found = []
    for item in items.select(["uri", "content_hash", "status", "reason"]).to_pylist():
        known = by_hash.get(item["content_hash"] or "", [])
        wrong = [one for one in known if one["status"] in _WRONG]
        if not known and item["status"] in _WRONG:
            wrong = [item]
        found += [
            {"uri": item["uri"], "status": one["status"], "reason": one["reason"], "recipe": one.get("recipe_digest")}
            for one in sorted(wrong, key=lambda one: one.get("recipe_digest") or "")
        ]
    return found


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
        "dtype": stored.recipe.dtype,
        "contents": dict(sorted(Counter(one["status"] for one in extractions).items())),
        "layers": [{"layer": one.layer, "shape": list(one.shape), "rows": rows} for one in stored.layers],
        "facts": dict(stored.facts),
    }


def _counted(column: pa.ChunkedArray) -> dict[str, int]:
    """Values and how often each occurs, those that are not known left out."""
    return dict(sorted(Counter(value for value in column.to_pylist() if value is not None).items()))
