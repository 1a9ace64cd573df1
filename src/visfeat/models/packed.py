"""Packed models: a graph, its weights and a card in one file that runs without torch.

A ``.vfmodel`` file is an uncompressed zip of ``card.toml``, ``graph.xml`` and ``weights.bin`` (OpenVINO IR).
The graph takes float32 ``(N, 3, H, W)``, or ``(N, 3, T, H, W)`` for clips, already normalized, with a free
batch axis N; each output carries the name of its layer.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from visfeat.card import ModelCard
from visfeat.errors import ModelError

SUFFIX = ".vfmodel"
_CARD, _GRAPH, _WEIGHTS = "card.toml", "graph.xml", "weights.bin"


@dataclass(frozen=True)
class PackedModel:
    """A model that the core runs: card, OpenVINO graph (XML) and the graph's weights."""

    card: ModelCard
    graph_xml: bytes
    weights: bytes

    @property
    def digest(self) -> str:
        """Hex SHA-256 of graph and weights: names the compiled graph, whatever the card says."""
        return hashlib.sha256(self.graph_xml + self.weights).hexdigest()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file; it appears whole or not at all."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, scratch = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                for name, data in self._parts():
                    # A fixed date: packing the same model twice gives the same bytes.
                    archive.writestr(zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0)), data)
            os.chmod(scratch, 0o644)
            os.replace(scratch, target)
        except BaseException:
            Path(scratch).unlink(missing_ok=True)
            raise

    def _parts(self) -> tuple[tuple[str, bytes], ...]:
        return ((_CARD, self.card.to_toml().encode()), (_GRAPH, self.graph_xml), (_WEIGHTS, self.weights))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> PackedModel:
        """Read a packed model; raises ModelError where the file is missing, damaged or something else."""
        subject = os.fspath(path)
        try:
            with zipfile.ZipFile(path) as archive:
                missing = {_CARD, _GRAPH, _WEIGHTS} - set(archive.namelist())
                if missing:
                    raise ModelError(f"{subject}: not a packed model, it has no {sorted(missing)[0]}")
                card = ModelCard.from_toml(archive.read(_CARD).decode(), subject=subject)
                return cls(card=card, graph_xml=archive.read(_GRAPH), weights=archive.read(_WEIGHTS))
        except FileNotFoundError:
            raise ModelError(f"{subject}: no such file; visfeat pack MODEL -o FILE{SUFFIX} makes one") from None
        except (zipfile.BadZipFile, OSError, UnicodeDecodeError) as error:
            raise ModelError(f"{subject}: not a packed model or damaged ({error}); pack it anew") from None
