"""A store's features as a torch dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from visfeat.frames import NO_INDEX, NO_TIME

if TYPE_CHECKING:
    from visfeat.store.feature_store import FeatureStore


class FeatureDataset(Dataset[tuple[Tensor, dict[str, Any]]]):
    """Pairs of a float32 vector ``(D,)`` (or map, or tokens) and a dict of what it belongs to.

    The dict holds uri, kind, start_s, end_s (NaN for images) and frame_index (-1 for images), so that torch's own
    collation takes it. Everything is in memory: worker processes may be forked, which an open store is not made for.
    """

    def __init__(
        self, store: FeatureStore, model: str | None = None, layer: str | None = None, recipe: str | None = None
    ) -> None:
        """Read the features that ``FeatureStore.features`` would return; raises UsageError as it does."""
        values, table = store.features(model, layer, recipe)
        self.values = torch.from_numpy(values)
        self._uris = table["uri"].to_pylist()
        self._kinds = table["kind"].to_pylist()
        self._start_s = table["start_s"].fill_null(NO_TIME).to_numpy()
        self._end_s = table["end_s"].fill_null(NO_TIME).to_numpy()
        self._frame_index = table["frame_index"].fill_null(NO_INDEX).to_numpy()

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, Any]]:
        return self.values[index], {
            "uri": self._uris[index],
            "kind": self._kinds[index],
            "start_s": float(self._start_s[index]),
            "end_s": float(self._end_s[index]),
            "frame_index": int(self._frame_index[index]),
        }
