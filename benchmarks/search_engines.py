"""Indexes under one protocol: built from unit vectors, searched with more or less effort, saved to a file or folder."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Indices = NDArray[np.int64]
M, BUILD_EFFORT = 16, 128
"""Of graphs: neighbors of a node, and candidates while it is built."""


_PROBES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)


class Engine(Protocol):
    """An index that can be measured."""

    efforts: Sequence[int]
    """What ``search`` takes, ascending: the first that reaches the recall wanted is measured."""

    def build(self, values: Vectors, folder: Path) -> None:
        """Index the rows ``(N, D)`` and save the index under the folder."""

    def search(self, queries: Vectors, k: int, effort: int) -> Indices:
        """The indices ``(Q, k)`` of the rows with the largest inner products."""


def lists_for(rows: int) -> int:
    """Lists of an inverted file: four times the root of the rows, as faiss advises."""
    return round(4 * math.sqrt(rows))


class Exact:
    """visfeat's exact index."""

    efforts: Sequence[int] = (0,)

    def build(self, values: Vectors, folder: Path) -> None:
        """Index and save."""
        from visfeat.search.index import ExactIndex

        np.save(folder / "rows.npy", values)
        self._index = ExactIndex(values)

    def search(self, queries: Vectors, k: int, effort: int) -> Indices:  # noqa: ARG002
        """The nearest rows."""
        return self._index.search(queries, k)[0]


class Inverted:
    """visfeat's inverted file."""

    efforts: Sequence[int] = _PROBES

    def build(self, values: Vectors, folder: Path) -> None:
        """Index and save."""
        from visfeat.search.inverted import InvertedIndex

        self._index = InvertedIndex.build(values)
        np.save(folder / "rows.npy", self._index.rows)
        np.save(folder / "centers.npy", self._index.centers)

    def search(self, queries: Vectors, k: int, effort: int) -> Indices:
        """The nearest rows."""
        return self._index.search(queries, k, probes=effort)[0]


class Indexed:
    """visfeat's index, as ``visfeat index`` builds it."""

    efforts: Sequence[int] = _PROBES

    def build(self, values: Vectors, folder: Path) -> None:
        """Index and save."""
        from visfeat.search.faiss_index import FaissIndex

        FaissIndex.build(values).save(folder)
        self._index = FaissIndex.open(folder)

    def search(self, queries: Vectors, k: int, effort: int) -> Indices:
        """The nearest rows."""
        return self._index.search(queries, k, probes=effort)[0]


class Faiss:
    """faiss by its factory's words; ``set_effort`` is given the index and an effort."""

    def __init__(self, words: str, efforts: Sequence[int], set_effort: Callable[[Any, int], None]) -> None:
        self._words, self.efforts, self._set_effort = words, efforts, set_effort

    def build(self, values: Vectors, folder: Path) -> None:
        """Index and save."""
        import faiss

        words = self._words.format(lists=lists_for(len(values)))
        self._index = faiss.index_factory(values.shape[1], words, faiss.METRIC_INNER_PRODUCT)
        if "HNSW" in words:
            self._index.hnsw.efConstruction = BUILD_EFFORT
        self._index.train(values)
        self._index.add(values)
        faiss.write_index(self._index, str(folder / "faiss.index"))

    def search(self, queries: Vectors, k: int, effort: int) -> Indices:
        """The nearest rows."""
        self._set_effort(self._index, effort)
        found: Indices = self._index.search(queries, k)[1]
        return found


def _set_probes(index: Any, effort: int) -> None:
    index.nprobe = effort


def _set_graph_effort(index: Any, effort: int) -> None:
    index.hnsw.efSearch = effort


def _set_refined(index: Any, effort: int) -> None:
    import faiss

    index.k_factor = 16
    faiss.extract_index_ivf(index).nprobe = effort


class Usearch:
    """usearch's graph, its vectors kept as that type."""

    efforts: Sequence[int] = (8, 16, 32, 64, 128, 256, 512, 1024, 2048)

    def __init__(self, dtype: str) -> None:
        self._dtype = dtype

    def build(self, values: Vectors, folder: Path) -> None:
        """Index and save."""
        from usearch.index import Index

        self._index = Index(
            ndim=values.shape[1], metric="cos", dtype=self._dtype, connectivity=M, expansion_add=BUILD_EFFORT
        )
        self._index.add(np.arange(len(values)), values)
        self._index.save(str(folder / "index.usearch"))

    def search(self, queries: Vectors, k: int, effort: int) -> Indices:
        """The nearest rows."""
        self._index.expansion_search = effort
        return np.asarray(self._index.search(queries, k).keys, np.int64).reshape(len(queries), -1)


class Hnswlib:
    """hnswlib's graph."""

    efforts: Sequence[int] = (10, 16, 32, 64, 128, 256, 512, 1024, 2048)

    def build(self, values: Vectors, folder: Path) -> None:
        """Index and save."""
        import hnswlib

        self._index = hnswlib.Index(space="ip", dim=values.shape[1])
        self._index.init_index(max_elements=len(values), M=M, ef_construction=BUILD_EFFORT)
        self._index.add_items(values)
        self._index.save_index(str(folder / "index.hnsw"))

    def search(self, queries: Vectors, k: int, effort: int) -> Indices:
        """The nearest rows."""
        self._index.set_ef(max(effort, k))
        return np.asarray(self._index.knn_query(queries, k)[0], np.int64)


class Lance:
    """Lance's inverted file over random-rotation quantization, refined with the vectors that the table holds anyway."""

    efforts: Sequence[int] = (4, 8, 16, 32, 64, 128, 256, 512, 1024)

    def build(self, values: Vectors, folder: Path) -> None:
        """Index and save."""
        import lance
        import pyarrow as pa

        column = pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])
        table = pa.table({"row": np.arange(len(values)), "vector": column})
        dataset = lance.write_dataset(table, str(folder / "t.lance"))
        dataset.create_index("vector", "IVF_RQ", metric="cosine", num_partitions=lists_for(len(values)))
        self._dataset = lance.dataset(str(folder / "t.lance"))

    def search(self, queries: Vectors, k: int, effort: int) -> Indices:
        """The nearest rows."""
        found = []
        for query in queries:
            nearest = {"column": "vector", "q": query, "k": k, "nprobes": effort, "refine_factor": 10}
            rows = self._dataset.to_table(columns=["row"], nearest=nearest)["row"].to_numpy()
            found.append(np.pad(rows, (0, k - len(rows)), constant_values=-1))
        return np.array(found)


ENGINES: dict[str, Callable[[], Engine]] = {
    "visfeat exact": Exact,
    "visfeat index": Indexed,
    "visfeat without faiss": Inverted,
    "faiss flat": lambda: Faiss("Flat", (0,), lambda index, effort: None),  # noqa: ARG005
    "faiss IVF": lambda: Faiss("IVF{lists},Flat", _PROBES, _set_probes),
    "faiss IVF PQ refined": lambda: Faiss("IVF{lists},PQ128x4fs,RFlat", _PROBES, _set_refined),
    "faiss HNSW": lambda: Faiss(f"HNSW{M},Flat", Hnswlib.efforts, _set_graph_effort),
    "hnswlib": Hnswlib,
    "usearch f32": lambda: Usearch("f32"),
    "usearch f16": lambda: Usearch("f16"),
    "usearch i8": lambda: Usearch("i8"),
    "lance IVF_RQ": Lance,
}
