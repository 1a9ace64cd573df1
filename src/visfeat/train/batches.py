"""Batches of a run: which samples are in batch n is a function of the seed and n alone.

A loader that remembers nothing has nothing to restore: whoever goes on at step 1234 gets what was due at step 1234.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from visfeat.train.augment import Change, augment
from visfeat.train.data.ahead import ahead
from visfeat.train.data.pixels import Pixels
from visfeat.train.data.rows import RowPixels

Batch = tuple[Tensor, Tensor]
"""Pixels uint8 ``(B, T, H, W, 3)`` or rows ``(B, T, D)``; targets int64 ``(B,)`` or float32 ``(B, classes)``."""

_SHUFFLE = 0x5EED


class Batches:
    """The batches of some samples, once in order, or shuffled anew every epoch.

    After ``at_step`` iteration goes on from the step that the function tells, to the end of its epoch; before, it gives
    all batches in order, nothing changed. Of ``world`` processes each takes its part of every batch.
    """

    def __init__(
        self,
        pixels: Pixels | RowPixels,
        targets: NDArray[Any],
        indices: NDArray[np.int64],
        batch_size: int,
        *,
        seed: int = 0,
        changes: Sequence[Change] = (),
        threads: int | None = None,
    ) -> None:
        self._pixels, self._indices = pixels, indices
        self._targets = torch.from_numpy(targets)
        self._batch_size, self._seed = batch_size, seed
        self._changes, self._threads = tuple(changes), threads
        self._step: Callable[[], int] | None = None
        self.rank, self.world = 0, 1

    def at_step(self, step: Callable[[], int]) -> None:
        """From now on shuffled; ``step`` says how many batches of the run were taken before."""
        self._step = step

    def __len__(self) -> int:
        """Batches in an epoch; the last one may be smaller."""
        return math.ceil(len(self._indices) / self._batch_size)

    def __iter__(self) -> Iterator[Batch]:
        """The rest of the epoch, prepared ahead by threads."""
        epoch, first = divmod(self._step(), len(self)) if self._step is not None else (0, 0)
        order = self._order(epoch)
        jobs = ((epoch, part) for part in self._parts(order, first))
        return ahead(jobs, self._batch, threads=self._threads)

    def state_dict(self) -> dict[str, int]:
        """Nothing: the step says it all."""
        return {}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Nothing to restore."""

    def _order(self, epoch: int) -> NDArray[np.int64]:
        if self._step is None:
            return self._indices
        return np.random.default_rng([self._seed, epoch, _SHUFFLE]).permutation(self._indices)

    def _parts(self, order: NDArray[np.int64], first: int) -> Iterator[NDArray[np.int64]]:
        for number in range(first, len(self)):
            part = order[number * self._batch_size : (number + 1) * self._batch_size]
            # Every process needs something to do, however small the last batch is.
            yield np.resize(part, max(len(part), self.world))[self.rank :: self.world]

    def _batch(self, job: tuple[int, NDArray[np.int64]]) -> Batch:
        epoch, part = job
        clips = torch.from_numpy(self._pixels.take(part))
        if self._step is not None:
            clips = augment(clips, self._changes, seed=self._seed, epoch=epoch, samples=part.tolist())
        return clips, self._targets[torch.from_numpy(part)]
