"""Running a network over some inputs, for the values of its layers as they are, before any pooling."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.engine.network import Network

Pixels = NDArray[np.uint8]
Values = NDArray[np.floating[Any]]


def activations(network: Network, inputs: Iterable[Pixels]) -> dict[str, Values]:
    """The tapped layers for N inputs uint8 ``(T, H, W, C)``, made as they are needed: layer -> ``(N, *spec.shape)``."""
    size, count = network.batch_size, 0

    def batches() -> Iterator[tuple[int, Pixels]]:
        nonlocal count
        source = iter(inputs)
        while part := list(itertools.islice(source, size)):
            number, count = count // size, count + len(part)
            yield number, np.stack(part + [part[-1]] * (size - len(part)))

    found = dict(network.stream(batches()))
    ordered = [found[number] for number in sorted(found)]
    return {name: np.concatenate([outputs[name] for outputs in ordered])[:count] for name in ordered[0]}
