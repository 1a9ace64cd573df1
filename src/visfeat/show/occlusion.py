"""Occlusion: which parts of a picture a class depends on, found by hiding them one after the other.

Zeiler and Fergus, "Visualizing and understanding convolutional networks" (ECCV 2014). It needs no gradients, so that
any network can be asked.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.show.heat import scaled_up
from visfeat.show.look import Pixels

Place = tuple[slice, slice, slice]
"""Frames, rows and columns."""
Probability = Callable[[Iterable[Pixels]], NDArray[np.float64]]
"""From N inputs uint8 ``(T, H, W, C)`` to the probability of the class, ``(N,)``."""

SQUARE_SHARE = 4
"""A square has a fourth of the picture's side; of a clip a fourth of the frames is hidden at once."""
CELLS, CELLS_OF_CLIPS = 3, 2
"""A square has so many cells along its side, and moves by one."""


@dataclass(frozen=True)
class Raster:
    """Where squares lie, ``cells`` x ``cells`` cells each; of a clip time is cut into ``parts``.

    Some stand over the picture's edges, so that each place is covered equally often.
    """

    shape: tuple[int, int, int]
    """Frames, height and width of what is looked at."""
    cell_px: int
    cells: int
    parts: int

    @classmethod
    def of(cls, shape: tuple[int, int, int], square_px: int) -> Raster:
        """Squares of at most ``square_px``."""
        cells = min(CELLS if shape[0] == 1 else CELLS_OF_CLIPS, square_px)
        return cls(shape, square_px // cells, cells, min(shape[0], SQUARE_SHARE))

    @property
    def square_px(self) -> int:
        """The side of a square."""
        return self.cell_px * self.cells

    @property
    def grid(self) -> tuple[int, int, int]:
        """Parts of time, rows and columns of cells."""
        return self.parts, -(-self.shape[1] // self.cell_px), -(-self.shape[2] // self.cell_px)

    def squares(self) -> list[Place]:
        """Of cells, each square's: those that stand over the edge are cut off there."""
        _, rows, columns = self.grid
        sides = [
            [slice(max(0, start), start + self.cells) for start in range(1 - self.cells, length)]
            for length in (rows, columns)
        ]
        times = [slice(part, part + 1) for part in range(self.parts)]
        return list(itertools.product(times, *sides))

    def in_pixels(self, square: Place) -> Place:
        """The frames and pixels of a square of cells."""
        part, rows, columns = square
        cuts = [round(number * self.shape[0] / self.parts) for number in (part.start, part.stop)]
        sides = [slice(side.start * self.cell_px, side.stop * self.cell_px) for side in (rows, columns)]
        return slice(*cuts), sides[0], sides[1]

    def scaled_up(self, values: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Values of cells ``grid`` as values of pixels ``shape``, smooth from cell to cell."""
        frames, height, width = self.shape
        _, rows, columns = self.grid
        return scaled_up(values, (frames, rows * self.cell_px, columns * self.cell_px))[:, :height, :width]


def occlusion(pixels: Pixels, probability: Probability, fill: NDArray[np.uint8], raster: Raster) -> NDArray[np.float32]:
    """How far the probability of a class drops where a gray square hides the picture.

    ``pixels`` uint8 ``(T, H, W, C)``; ``fill`` uint8 ``(C,)`` is what hides. For each cell, the mean over the squares
    that cover it of

        p(picture) - p(picture with the square)

    as float32 ``raster.grid``: negative where hiding helps the class.
    """
    squares = raster.squares()

    def inputs() -> Iterator[Pixels]:
        yield pixels
        for square in squares:
            hidden = pixels.copy()
            hidden[raster.in_pixels(square)] = fill
            yield hidden

    found = probability(inputs())
    drops, covered = np.zeros(raster.grid), np.zeros(raster.grid)
    for square, value in zip(squares, found[1:], strict=True):
        drops[square] += found[0] - value
        covered[square] += 1
    return (drops / covered).astype(np.float32)
