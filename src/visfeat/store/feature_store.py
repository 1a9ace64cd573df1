"""FeatureStore: a folder of items, recipes, outcomes and features that any number of processes share."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import ValidationError

from visfeat.errors import MissingExtra, StoreError
from visfeat.media.item import Kind
from visfeat.recipe import Recipe
from visfeat.store import labels, layout, overview, selection
from visfeat.store.join import join
from visfeat.store.reading import SpaceReader
from visfeat.store.records import KnownItem, LayerShape, Status, StoredRecipe
from visfeat.store.schemas import (
    EXTRACTIONS,
    EXTRACTIONS_SCHEMA,
    MEDIA,
    MEDIA_SCHEMA,
    RECIPES,
    RECIPES_SCHEMA,
    features_schema,
    features_table_name,
    layer_shapes,
    vectors,
)
from visfeat.store.selection import Space
from visfeat.store.tables import Table, text
from visfeat.store.writer import StoreWriter

if TYPE_CHECKING:
    from visfeat.search.searcher import Passage
    from visfeat.store.torch_dataset import FeatureDataset

T = TypeVar("T")
_BASE = {MEDIA: MEDIA_SCHEMA, RECIPES: RECIPES_SCHEMA, EXTRACTIONS: EXTRACTIONS_SCHEMA}


class FeatureStore:
    """A store. Every call sees what is committed at that moment, by whatever process."""

    def __init__(self, path: Path) -> None:
        """Use ``open`` or ``create_or_open``, which check the folder first."""
        self.path = path

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a store; raises StoreError where there is none, or one of a newer format."""
        folder = Path(path).expanduser().absolute()
        layout.check(folder)
        return cls(folder)

    @classmethod
    def create_or_open(cls, path: str | Path) -> Self:
        """Open a store, or make one of a missing or empty folder; raises StoreError for any other folder."""
        folder = Path(path).expanduser().absolute()
        layout.prepare(folder)
        layout.clean_leftovers(folder)
        return cls(folder)

    # Writing.

    def writer(
        self,
        recipe: Recipe,
        *,
        layers: Sequence[LayerShape],
        facts: Mapping[str, str],
        card_toml: str,
        redo: bool = False,
    ) -> StoreWriter:
        """Register a resolved recipe, if it is new, and return what its features are written with.

        ``redo``: what is there of a content goes when its new features come, not before.
        """
        self._register(recipe, layers=layers, facts=facts, card_toml=card_toml)
        tables = {}
        for layer in layers:
            # A row that was pooled over time is of no clip in particular.
            clip = recipe.clip if recipe.temporal is None else None
            schema = features_schema(layer.shape, dtype=recipe.dtype, labels=recipe.top > 0, clip=clip)
            tables[layer] = Table.create_or_open(self.path, features_table_name(recipe.digest, layer.layer), schema)
        return StoreWriter(
            recipe.digest,
            tables,
            extractions=self._create(EXTRACTIONS),
            media=self._create(MEDIA),
            forget=(lambda hashes: self.forget(hashes, recipe.digest)) if redo else None,
        )

    def _register(
        self, recipe: Recipe, *, layers: Sequence[LayerShape], facts: Mapping[str, str], card_toml: str
    ) -> None:
        """Keep the recipe's date and the facts of earlier runs; two facts that are equal are one."""
        known = next((stored for stored in self.recipes() if stored.digest == recipe.digest), None)
        if known is not None and set(known.layers) != set(layers):
            raise StoreError(f"{self.path}: recipe {recipe.digest} has other layers: {known.layers}, not {layers}")
        history = [] if known is None else [*known.earlier_facts, known.facts]
        row = {
            "digest": recipe.digest,
            "name": recipe.name or (known.recipe.name if known is not None else None),
            "model": recipe.model,
            "recipe_toml": recipe.to_toml(),
            "facts_json": json.dumps([*(dict(old) for old in history if dict(old) != dict(facts)), dict(facts)]),
            "card_toml": card_toml,
            "layers": [
                {"layer": one.layer, "table": features_table_name(recipe.digest, one.layer), "shape": list(one.shape)}
                for one in layers
            ],
            "created_at": known.created_at
            if known is not None
            else datetime.now(UTC).isoformat(timespec="microseconds"),
        }
        self._create(RECIPES).upsert(pa.Table.from_pylist([row], schema=RECIPES_SCHEMA))

    def forget(self, content_hashes: Iterable[str], recipe_digest: str) -> None:
        """Delete the features and outcomes of these contents under a recipe, so that the next run makes them anew.

        What was pooled over time from these features goes with them.
        """
        hashes = sorted(set(content_hashes))
        extractions = self._table(EXTRACTIONS)
        if extractions is None:
            return
        made_of_it = [one for one in self.recipes() if recipe_digest in (one.digest, one.recipe.rows_recipe.digest)]
        # First the outcomes: rows without one do not count.
        digests = {recipe_digest, *(stored.digest for stored in made_of_it)}
        extractions.delete_where_in("key", [f"{one}:{digest}" for digest in sorted(digests) for one in hashes])
        for stored in made_of_it:
            for layer in stored.layers:
                table = self._table(features_table_name(stored.digest, layer.layer))
                if table is not None:
                    table.delete_where_in("content_hash", hashes)

    def remove_items(self, uris: Iterable[str]) -> None:
        """Delete items, such as files that are gone; features of their contents stay for copies and later finds."""
        media = self._table(MEDIA)
        if media is not None:
            media.delete_where_in("uri", sorted(set(uris)))

    # What is known.

    def known_items(self) -> dict[str, KnownItem]:
        """All items by URI, as the last run that touched them left them."""
        table = self._read(MEDIA, ["uri", "size_bytes", "mtime_ns", "content_hash", "kind", "status"])
        kinds: dict[str | None, Kind | None] = {kind.value: kind for kind in Kind} | {None: None}
        statuses = {status.value: status for status in Status}
        known = map(
            KnownItem,
            table["size_bytes"].to_numpy().tolist(),
            table["mtime_ns"].to_numpy().tolist(),
            pc.fill_null(table["content_hash"], "").to_pylist(),
            _looked_up(table["kind"], kinds),
            _looked_up(table["status"], statuses),
        )
        return dict(zip(table["uri"].to_pylist(), known, strict=True))

    def outcomes(self, recipe_digest: str) -> dict[str, Status]:
        """How far each content came under a recipe, by content hash."""
        where = f"recipe_digest = {text(recipe_digest)}"
        table = self._read(EXTRACTIONS, ["content_hash", "status"], where=where)
        statuses = {status.value: status for status in Status}
        pairs = zip(table["content_hash"].to_pylist(), table["status"].to_pylist(), strict=True)
        return {content_hash: statuses[status] for content_hash, status in pairs}

    def recipes(self) -> list[StoredRecipe]:
        """All recipes, the oldest first; raises StoreError where this visfeat cannot read one."""
        rows = self._read(RECIPES, RECIPES_SCHEMA.names).to_pylist()
        return [self._stored(row) for row in sorted(rows, key=lambda row: (row["created_at"], row["digest"]))]

    def _stored(self, row: dict[str, Any]) -> StoredRecipe:
        try:
            recipe = Recipe.model_validate(tomllib.loads(row["recipe_toml"]) | {"name": row["name"]})
        except (ValidationError, tomllib.TOMLDecodeError) as error:
            raise StoreError(
                f"{self.path}: recipe {row['digest']} has options that this visfeat does not know; "
                f"pip install -U visfeat ({error})"
            ) from None
        facts = json.loads(row["facts_json"])
        return StoredRecipe(
            digest=row["digest"],
            recipe=recipe,
            facts=facts[-1],
            card_toml=row["card_toml"],
            layers=layer_shapes(row["layers"]),
            created_at=row["created_at"],
            earlier_facts=tuple(facts[:-1]),
        )

    def items(self, status: Status | str | None = None) -> pa.Table:
        """The table of items, one row a URI, sorted by URI; of one status where that is given."""
        where = None if status is None else f"status = {text(str(status))}"
        return self._read(MEDIA, MEDIA_SCHEMA.names, where=where).sort_by("uri")

    def items_where(self, condition: str) -> pa.Table:
        """The items that meet a condition over their columns, such as ``kind = 'video' and duration_s > 60``.

        SQL as Lance reads it; an item without a value meets no comparison. Raises UsageError that says what is wrong
        with the condition.
        """
        table = self._table(MEDIA)
        if table is None:
            return MEDIA_SCHEMA.empty_table()
        return table.read_chosen(MEDIA_SCHEMA.names, condition).sort_by("uri")

    def failures(self) -> list[dict[str, str | None]]:
        """uri, status, reason and recipe (a digest, or None where reading failed) of what is failed or partial."""
        return overview.failures(self.items(), self.extractions())

    def info(self) -> dict[str, Any]:
        """What the store holds, ready for JSON: items by status and kind, recipes with their rows, labels, bytes."""
        return {
            "path": str(self.path),
            "format_version": layout.FORMAT_VERSION,
            **overview.info(self.items(), self.extractions(), self.recipes()),
            **labels.overview(self.path),
            "size_bytes": layout.size_on_disk_bytes(self.path),
        }

    def extractions(self, recipe_digest: str | None = None) -> pa.Table:
        """content_hash, recipe_digest, status, reason and num_rows of every content and recipe, or of one recipe."""
        where = None if recipe_digest is None else f"recipe_digest = {text(recipe_digest)}"
        return self._read(EXTRACTIONS, EXTRACTIONS_SCHEMA.names[1:], where=where)

    # Features.

    def spaces(self, model: str | None = None, layer: str | None = None, recipe: str | None = None) -> list[Space]:
        """The recipe and layer pairs that fit; raises UsageError, which lists what there is, where none does."""
        return selection.spaces(self.recipes(), model=model, layer=layer, recipe=recipe)

    def reader(self, model: str | None = None, layer: str | None = None, recipe: str | None = None) -> SpaceReader:
        """The rows of the one space that fits; raises UsageError where none or several do."""
        return self.read_space(selection.one_space(self.recipes(), model=model, layer=layer, recipe=recipe))

    def read_space(self, space: Space) -> SpaceReader:
        """The rows of a space as they are now."""
        # Outcomes before rows: what counts by then is committed, and stays.
        media, extractions = self._table(MEDIA), self._table(EXTRACTIONS)
        features = self._table(space.table_name)
        if media is None or extractions is None or features is None:
            raise StoreError(f"{self.path}: {space} has lost its tables; extract it again")
        return SpaceReader(space, features, join(media, extractions, features, space.stored.digest))

    def features(
        self, model: str | None = None, layer: str | None = None, recipe: str | None = None
    ) -> tuple[NDArray[np.float32], pa.Table]:
        """All vectors of one layer of one recipe, and what each belongs to.

        float32 ``(N, D)``, or ``(N, C, H, W)`` and ``(N, T, C)`` where nothing was pooled, and a table of N rows:
        uri, kind, start_s, end_s, frame_index (null for images), and labels where the recipe asked for them. One
        row an item and position, copies included, sorted by URI, then position. ``recipe`` is a digest, the
        beginning of one, or a name; what leaves no choice need not be said. Raises UsageError, which lists what
        there is, where nothing or more than one layer fits.
        """
        reader = self.reader(model, layer, recipe)
        return reader.all_values(), reader.metadata()

    def batches(
        self,
        model: str | None = None,
        layer: str | None = None,
        recipe: str | None = None,
        *,
        batch_rows: int | None = None,
    ) -> Iterator[tuple[NDArray[np.float32], pa.Table]]:
        """The same rows as ``features``, a batch at a time, in flat memory."""
        return self.reader(model, layer, recipe).batches(batch_rows)

    def to_arrow(self, model: str | None = None, layer: str | None = None, recipe: str | None = None) -> pa.Table:
        """The table of ``features`` with a column ``vector``, each flattened."""
        values, table = self.features(model, layer, recipe)
        return table.append_column("vector", vectors(values))

    def to_pandas(self, model: str | None = None, layer: str | None = None, recipe: str | None = None) -> Any:
        """``to_arrow`` as a pandas.DataFrame; needs pandas."""
        return self.to_arrow(model, layer, recipe).to_pandas()

    def torch_dataset(
        self, model: str | None = None, layer: str | None = None, recipe: str | None = None
    ) -> FeatureDataset:
        """The same rows as a torch.utils.data.Dataset of (vector, what it belongs to); needs the extra ``torch``."""
        try:
            from visfeat.store.torch_dataset import FeatureDataset
        except ModuleNotFoundError:
            raise MissingExtra("a torch dataset", extra="torch") from None
        return FeatureDataset(self, model, layer, recipe)

    def search(self, **question: Any) -> list[Passage]:
        """The passages most like an image, a moment, an item, a vector or a text, as ``visfeat.search.search`` says."""
        from visfeat.search.answer import search  # upwards, and only here

        return search(self, **question).passages

    # Tables.

    def _create(self, name: str) -> Table:
        return Table.create_or_open(self.path, name, _BASE[name])

    def _table(self, name: str) -> Table | None:
        return Table.open(self.path, name)

    def _read(self, name: str, columns: Sequence[str], *, where: str | None = None) -> pa.Table:
        """Columns of one of the three base tables, empty where it was not made yet."""
        table = self._table(name)
        if table is None:
            return _BASE[name].empty_table().select(list(columns))
        return table.read(columns, where=where)


def _looked_up(column: pa.ChunkedArray, meanings: Mapping[Any, T]) -> list[T]:
    """What each text of a column stands for; a column of few different texts costs one look-up of each."""
    encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    entries = [meanings[entry] for entry in encoded.dictionary.to_pylist()]
    return [entries[index] for index in encoded.indices.to_numpy().tolist()]


def open_store(path: str | Path) -> FeatureStore:
    """Open a store for reading or writing; raises StoreError where there is none."""
    return FeatureStore.open(path)
