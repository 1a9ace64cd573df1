"""The formulas of the layers in plain loops, float64: what the tests compare the models' own layers with."""

from __future__ import annotations

import numpy as np


def convolution_2d(picture, kernel, bias, padding=0):
    """O(c, i, j) = b(c) + sum over k, m, n of I(k, i + m, j + n) K(c, k, m, n): a cross-correlation."""
    picture = np.pad(picture.astype(np.float64), ((0, 0), (padding, padding), (padding, padding)))
    outs, channels, rows, columns = kernel.shape
    height, width = picture.shape[1] - rows + 1, picture.shape[2] - columns + 1
    out = np.zeros((outs, height, width))
    for c in range(outs):
        for i in range(height):
            for j in range(width):
                total = float(bias[c])
                for k in range(channels):
                    for m in range(rows):
                        for n in range(columns):
                            total += picture[k, i + m, j + n] * kernel[c, k, m, n]
                out[c, i, j] = total
    return out


def convolution_3d(clip, kernel, bias, padding=0):
    """O(c, t, i, j) = b(c) + sum over k, l, m, n of I(k, t + l, i + m, j + n) K(c, k, l, m, n)."""
    edges = (padding, padding)
    clip = np.pad(clip.astype(np.float64), ((0, 0), edges, edges, edges))
    outs, channels, steps, rows, columns = kernel.shape
    length, height, width = (side - taps + 1 for side, taps in zip(clip.shape[1:], kernel.shape[2:], strict=True))
    out = np.zeros((outs, length, height, width))
    for c in range(outs):
        for t in range(length):
            for i in range(height):
                for j in range(width):
                    total = float(bias[c])
                    for k in range(channels):
                        for step in range(steps):
                            for m in range(rows):
                                for n in range(columns):
                                    total += clip[k, t + step, i + m, j + n] * kernel[c, k, step, m, n]
                    out[c, t, i, j] = total
    return out


def relu(values):
    """max(0, x)."""
    return np.array([max(0.0, float(x)) for x in values.ravel()]).reshape(values.shape)


def sigmoid(values):
    """1 / (1 + exp(-x))."""
    return 1.0 / (1.0 + np.exp(-values.astype(np.float64)))


def tanh(values):
    """(exp(x) - exp(-x)) / (exp(x) + exp(-x))."""
    values = values.astype(np.float64)
    return (np.exp(values) - np.exp(-values)) / (np.exp(values) + np.exp(-values))


def pool(values, window, reduce):
    """``reduce`` over windows that do not overlap, on the last axes; what does not fill a window is left out."""
    lead = values.shape[: values.ndim - len(window)]
    sides = [side // size for side, size in zip(values.shape[len(lead) :], window, strict=True)]
    out = np.zeros((*lead, *sides))
    for at in np.ndindex(*lead, *sides):
        place = at[len(lead) :]
        part = values[at[: len(lead)]]
        for axis, (index, size) in enumerate(zip(place, window, strict=True)):
            part = np.take(part, range(index * size, (index + 1) * size), axis=axis)
        out[at] = reduce(part.ravel().tolist())
    return out


def mean(values):
    """The average of a list."""
    return sum(values) / len(values)


def linear(values, weight, bias):
    """W x + b."""
    sums = [sum(float(w) * float(x) for w, x in zip(row, values, strict=True)) for row in weight]
    return np.array([total + float(b) for total, b in zip(sums, bias, strict=True)])


def lstm(sequence, gates, hidden):
    """The outputs h of an LSTM for a sequence of vectors; ``gates`` are W and b of f, i, candidate and o on [h, x]."""
    h, memory = np.zeros(hidden), np.zeros(hidden)
    outputs = []
    for x in sequence:
        both = np.concatenate([h, x])
        forget = sigmoid(linear(both, *gates["f"]))
        let_in = sigmoid(linear(both, *gates["i"]))
        candidate = tanh(linear(both, *gates["c"]))
        memory = forget * memory + let_in * candidate
        shown = sigmoid(linear(both, *gates["o"]))
        h = shown * tanh(memory)
        outputs.append(h)
    return np.array(outputs)


def lstm_gates(layer, suffix="l0"):
    """torch's weights as W and b of each gate on [h, x]: torch stacks i, f, candidate, o and keeps x and h apart."""
    of_x, of_h = (getattr(layer, f"weight_{kind}_{suffix}").detach().numpy() for kind in ("ih", "hh"))
    bias = sum(getattr(layer, f"bias_{kind}_{suffix}").detach().numpy() for kind in ("ih", "hh"))
    hidden = of_h.shape[1]
    parts = {name: slice(at * hidden, (at + 1) * hidden) for at, name in enumerate("ifco")}
    return {name: (np.hstack([of_h[part], of_x[part]]), bias[part]) for name, part in parts.items()}
