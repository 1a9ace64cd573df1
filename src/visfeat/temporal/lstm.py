"""LSTM over rows in plain NumPy: several layers, one or two directions, rows in parts that hand on h and C.

The cell (Hochreiter and Schmidhuber 1997; with the forget gate of Gers, Schmidhuber and Cummins 2000), with
``z = W [h_(t-1), x_t] + b`` in four parts:

    i, f, o = sigmoid(z_i), sigmoid(z_f), sigmoid(z_o)        gates
    C~ = tanh(z_g)                                             candidate
    C = f * C_(t-1) + i * C~,    h = o * tanh(C)

Weights have the names and the order of gates (i, f, g, o) of ``torch.nn.LSTM``. Everything runs in float64: an hour of
rows, one a second, of 1280 values through two layers of 256 in both directions takes 1.2 s, and no result depends on
how the rows were cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.errors import ModelError
from visfeat.temporal.rows import PART_ROWS, Doubles, RowSequence, in_double, parts

_NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


@dataclass(frozen=True, slots=True)
class Direction:
    """One layer in one direction: w_x ``(D, 4H)``, w_h ``(H, 4H)``, bias ``(4H,)``, float64, transposed for ``@``."""

    w_x: Doubles
    w_h: Doubles
    bias: Doubles

    def run(self, inputs: Doubles, h: Doubles, c: Doubles, *, backwards: bool) -> tuple[Doubles, Doubles, Doubles]:
        """Inputs ``(n, D)`` from state h, c ``(H,)``: h at every step ``(n, H)``, and the state at the end."""
        width = len(h)
        from_inputs = inputs @ self.w_x + self.bias
        states = np.empty((len(inputs), width))
        for t in reversed(range(len(inputs))) if backwards else range(len(inputs)):
            z = from_inputs[t] + h @ self.w_h
            gates = sigmoid(z)
            c = gates[width : 2 * width] * c + gates[:width] * np.tanh(z[2 * width : 3 * width])
            h = gates[3 * width :] * np.tanh(c)
            states[t] = h
        return states, h, c


@dataclass(frozen=True, slots=True)
class State:
    """h and C of every layer and direction, each float64 ``(layers * directions, H)`` in torch's order."""

    h: Doubles
    c: Doubles


@dataclass(frozen=True)
class Lstm:
    """Layers from the input on; each has one direction, or two whose states stand side by side."""

    layers: tuple[tuple[Direction, ...], ...]
    width: int = field(init=False)
    """D of the rows that it reads."""
    hidden: int = field(init=False)
    """H of one direction."""

    def __post_init__(self) -> None:
        first = self.layers[0][0]
        object.__setattr__(self, "width", first.w_x.shape[0])
        object.__setattr__(self, "hidden", first.w_h.shape[0])

    @property
    def directions(self) -> int:
        """1, or 2 where it also reads from the end."""
        return len(self.layers[0])

    @property
    def output_width(self) -> int:
        """The width of one step's state: H, or 2H of both directions."""
        return self.hidden * self.directions

    def zero_state(self) -> State:
        """The state before the first row."""
        shape = (len(self.layers) * self.directions, self.hidden)
        return State(np.zeros(shape), np.zeros(shape))

    def run(
        self, rows: RowSequence, state: State | None = None, *, part_rows: int = PART_ROWS
    ) -> tuple[Doubles, State]:
        """Rows ``(T, D)`` -> the last layer's h at every step, ``(T, directions * H)``, and the state at the end.

        Each direction goes through the parts in its own order and hands h and C from part to part, so that any
        ``part_rows`` gives the same. ``state`` and the state returned are torch's: the backward direction begins at
        the last row. Where it reads forwards only, that state goes on with the rows that follow.
        """
        before = state or self.zero_state()
        after = self.zero_state()
        inputs: RowSequence = rows
        for n, layer in enumerate(self.layers):
            outputs = np.empty((len(rows), self.output_width))
            for m, direction in enumerate(layer):
                index = n * self.directions + m
                h, c = before.h[index], before.c[index]
                for part in parts(len(rows), size=part_rows, backwards=m == 1):
                    states, h, c = direction.run(in_double(inputs, part), h, c, backwards=m == 1)
                    outputs[part, m * self.hidden : (m + 1) * self.hidden] = states
                after.h[index], after.c[index] = h, c
            inputs = outputs
        return outputs, after

    def final(self, rows: RowSequence) -> Doubles:
        """The last layer's h where each direction ends, ``(directions * H,)``; in flat memory where there is one."""
        if self.directions > 1:
            return self.last(self.run(rows)[1])
        state = self.zero_state()
        for part in parts(len(rows)):
            _, state = self.run(rows[part], state)
        return self.last(state)

    def last(self, state: State) -> Doubles:
        """The last layer's h in a state, the directions side by side, ``(directions * H,)``."""
        return np.asarray(state.h[-self.directions :].reshape(-1))


def sigmoid(values: Doubles) -> Doubles:
    """1 / (1 + exp(-z)), by way of tanh, which does not overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * values)))


def lstm_of(weights: Mapping[str, NDArray[np.floating[Any]]], *, subject: str) -> Lstm:
    """An LSTM from ``weight_ih_l0``, ``weight_hh_l0``, ``bias_ih_l0``, ``bias_hh_l0``, ``..._reverse``, ``..._l1``.

    ``lstm.`` may stand before the names; other weights may lie beside them. Raises ModelError that names the subject
    and the weight that is missing, has another shape or belongs to no layer.
    """
    prefix = "lstm." if any(name.startswith("lstm.") for name in weights) else ""
    by_name = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
    if "weight_ih_l0" not in by_name:
        raise ModelError(f"{subject}: holds no LSTM, it has no weight_ih_l0 (it has {', '.join(sorted(weights)[:6])})")
    ends = ("", "_reverse") if "weight_ih_l0_reverse" in by_name else ("",)
    hidden, width = _hidden(by_name), None
    layers = []
    for n in range(sum(name.startswith("weight_ih_l") and not name.endswith("_reverse") for name in by_name)):
        directions = [_direction(by_name, f"_l{n}{end}", hidden, width, subject) for end in ends]
        layers.append(tuple(directions))
        width = hidden * len(ends)
    read = {f"{name}_l{n}{end}" for name in _NAMES for n in range(len(layers)) for end in ends}
    left = sorted(name for name in by_name if name.startswith(_NAMES) and name not in read)
    if left:
        raise ModelError(f"{subject}: {left[0]} belongs to no layer of an LSTM with {len(ends)} direction(s)")
    return Lstm(tuple(layers))


def _hidden(weights: Mapping[str, NDArray[np.floating[Any]]]) -> int:
    """H by the first layer's weights, 0 where their shapes do not say it."""
    recurrent, inputs = weights.get("weight_hh_l0"), weights["weight_ih_l0"]
    if recurrent is not None and recurrent.ndim == 2:
        return int(recurrent.shape[1])
    return inputs.shape[0] // 4 if inputs.ndim == 2 else 0


def _direction(
    weights: Mapping[str, NDArray[np.floating[Any]]], end: str, hidden: int, width: int | None, subject: str
) -> Direction:
    """The weights of one layer and direction; ``width`` of its input, None for the first layer."""
    shapes = {"weight_ih": (4 * hidden, width), "weight_hh": (4 * hidden, hidden)}
    has_bias = f"bias_ih{end}" in weights or f"bias_hh{end}" in weights
    biases = {"bias_ih": (4 * hidden,), "bias_hh": (4 * hidden,)} if has_bias else {}
    found: dict[str, Doubles] = {}
    for name, shape in (shapes | biases).items():
        value = weights.get(name + end)
        if value is None:
            raise ModelError(f"{subject}: {name}{end} is missing")
        wanted = tuple(have if side is None else side for side, have in zip(shape, value.shape, strict=False))
        if value.shape != wanted or len(value.shape) != len(shape):
            raise ModelError(f"{subject}: {name}{end} has shape {value.shape}, not {wanted}")
        found[name] = value.astype(np.float64)
    bias = found["bias_ih"] + found["bias_hh"] if biases else np.zeros(4 * hidden)
    # Contiguous: a product of a vector and a transposed matrix takes twice as long.
    return Direction(np.ascontiguousarray(found["weight_ih"].T), np.ascontiguousarray(found["weight_hh"].T), bias)


def random_lstm(width: int, *, hidden: int, layers: int, bidirectional: bool, seed: int) -> dict[str, Doubles]:
    """Weights by torch's names, uniform in +-1/sqrt(hidden) as torch draws them (from NumPy's generator)."""
    rng = np.random.default_rng(seed)
    bound = 1.0 / np.sqrt(hidden)
    weights: dict[str, Doubles] = {}
    for n in range(layers):
        inputs = width if n == 0 else hidden * (2 if bidirectional else 1)
        for end in ("", "_reverse") if bidirectional else ("",):
            weights[f"weight_ih_l{n}{end}"] = rng.uniform(-bound, bound, (4 * hidden, inputs))
            weights[f"weight_hh_l{n}{end}"] = rng.uniform(-bound, bound, (4 * hidden, hidden))
            weights[f"bias_ih_l{n}{end}"] = rng.uniform(-bound, bound, 4 * hidden)
            weights[f"bias_hh_l{n}{end}"] = rng.uniform(-bound, bound, 4 * hidden)
    return weights
