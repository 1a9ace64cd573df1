"""The LSTM: its cell against the formulas, parts against one piece, its weights' names and shapes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visfeat.errors import ModelError
from visfeat.temporal.lstm import State, lstm_of, random_lstm
from visfeat.temporal.rows import PART_ROWS

WIDTH, HIDDEN = 5, 3


def made(layers: int = 1, *, bidirectional: bool = False, seed: int = 0):
    weights = random_lstm(WIDTH, hidden=HIDDEN, layers=layers, bidirectional=bidirectional, seed=seed)
    return weights, lstm_of(weights, subject="made")


def rows_of(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, WIDTH)).astype(np.float32)


def cell(x: np.ndarray, h: np.ndarray, c: np.ndarray, weights: dict, end: str) -> tuple[np.ndarray, np.ndarray]:
    """One step by the formulas: W [h_(t-1), x_t] + b, unit by unit, with the gates in torch's order."""
    joined = np.concatenate([h, x])
    w = np.concatenate([weights[f"weight_hh{end}"], weights[f"weight_ih{end}"]], axis=1)
    b = weights[f"bias_ih{end}"] + weights[f"bias_hh{end}"]
    new_h, new_c = np.empty(HIDDEN), np.empty(HIDDEN)
    for unit in range(HIDDEN):
        i, f, g, o = (
            sum(w[gate * HIDDEN + unit, k] * joined[k] for k in range(len(joined))) + b[gate * HIDDEN + unit]
            for gate in range(4)
        )
        forget, let_in, show = 1 / (1 + np.exp(-f)), 1 / (1 + np.exp(-i)), 1 / (1 + np.exp(-o))
        new_c[unit] = forget * c[unit] + let_in * np.tanh(g)
        new_h[unit] = show * np.tanh(new_c[unit])
    return new_h, new_c


def by_formula(rows: np.ndarray, weights: dict, layers: int, *, bidirectional: bool) -> np.ndarray:
    inputs = rows.astype(np.float64)
    for n in range(layers):
        both = []
        for end in (f"_l{n}", f"_l{n}_reverse")[: 2 if bidirectional else 1]:
            h, c = np.zeros(HIDDEN), np.zeros(HIDDEN)
            states = []
            for x in inputs[::-1] if end.endswith("reverse") else inputs:
                h, c = cell(x, h, c, weights, end)
                states.append(h)
            both.append(np.array(states[::-1] if end.endswith("reverse") else states))
        inputs = np.concatenate(both, axis=1)
    return inputs


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_states_are_those_of_the_formulas(layers: int, bidirectional: bool) -> None:
    weights, lstm = made(layers, bidirectional=bidirectional)
    rows = rows_of(7)
    states, _ = lstm.run(rows)
    assert states.shape == (7, HIDDEN * (1 + bidirectional))
    np.testing.assert_allclose(states, by_formula(rows, weights, layers, bidirectional=bidirectional), atol=1e-12)


@given(count=st.integers(1, 40), part_rows=st.integers(1, 50), layers=st.integers(1, 3), both=st.booleans())
def test_any_parts_give_what_one_piece_gives(count: int, part_rows: int, layers: int, both: bool) -> None:
    _, lstm = made(layers, bidirectional=both)
    rows = rows_of(count)
    whole, end = lstm.run(rows, part_rows=count)
    parted, parted_end = lstm.run(rows, part_rows=part_rows)
    np.testing.assert_allclose(parted, whole, atol=1e-12)
    np.testing.assert_allclose(parted_end.c, end.c, atol=1e-12)


@given(cut=st.integers(1, 19))
def test_a_state_handed_on_by_the_caller_goes_on_where_the_rows_were_cut(cut: int) -> None:
    _, lstm = made(2)
    rows = rows_of(20)
    whole, end = lstm.run(rows)
    first, state = lstm.run(rows[:cut])
    second, last = lstm.run(rows[cut:], state)
    np.testing.assert_allclose(np.concatenate([first, second]), whole, atol=1e-12)
    np.testing.assert_allclose(last.h, end.h, atol=1e-12)


def test_the_last_state_is_where_each_direction_ends() -> None:
    _, lstm = made(2, bidirectional=True)
    states, end = lstm.run(rows_of(9))
    np.testing.assert_array_equal(lstm.last(end), np.concatenate([states[-1, :HIDDEN], states[0, HIDDEN:]]))


@pytest.mark.parametrize("count", [1, PART_ROWS, 2 * PART_ROWS + 3])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_final_state_of_a_long_video_is_that_of_one_piece(count: int, bidirectional: bool) -> None:
    _, lstm = made(2, bidirectional=bidirectional)
    rows = rows_of(count)
    np.testing.assert_allclose(lstm.final(rows), lstm.last(lstm.run(rows, part_rows=count)[1]), atol=1e-12)


def test_large_inputs_do_not_overflow() -> None:
    _, lstm = made()
    with np.errstate(all="raise", under="ignore"):
        states, _ = lstm.run(np.full((3, WIDTH), 1e6, np.float32))
    assert np.isfinite(states).all()


def test_a_state_before_the_first_row_counts() -> None:
    _, lstm = made()
    rows = rows_of(2)
    zeros = lstm.zero_state()
    other, _ = lstm.run(rows, State(zeros.h + 0.5, zeros.c))
    assert np.abs(other - lstm.run(rows)[0]).max() > 1e-3


def test_names_may_begin_with_lstm_and_have_others_beside_them() -> None:
    weights, lstm = made(2, bidirectional=True)
    saved = {f"lstm.{name}": value for name, value in weights.items()}
    saved |= {"decoder.weight_ih_l0": np.zeros((4, 4)), "fc.weight": np.zeros((2, 6))}
    np.testing.assert_array_equal(lstm_of(saved, subject="x").run(rows_of(4))[0], lstm.run(rows_of(4))[0])


def test_biases_may_be_left_out() -> None:
    weights, _ = made()
    bare = {name: value for name, value in weights.items() if name.startswith("weight")}
    zero = weights | {name: np.zeros_like(value) for name, value in weights.items() if name.startswith("bias")}
    np.testing.assert_array_equal(
        lstm_of(bare, subject="x").run(rows_of(4))[0], lstm_of(zero, subject="x").run(rows_of(4))[0]
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda w: w.pop("weight_hh_l1"), "weight_hh_l1 is missing"),
        (lambda w: w.pop("bias_hh_l0"), "bias_hh_l0 is missing"),
        (lambda w: w.pop("bias_ih_l0"), "bias_ih_l0 is missing"),
        (lambda w: w.update(weight_ih_l1=np.zeros((12, 7))), r"weight_ih_l1 has shape \(12, 7\), not \(12, 3\)"),
        (lambda w: w.update(weight_ih_l0=np.zeros((11, 5))), r"weight_ih_l0 has shape \(11, 5\), not \(12, 5\)"),
        (lambda w: w.update(bias_ih_l0=np.zeros((12, 1))), "bias_ih_l0 has shape"),
        (lambda w: w.pop("weight_ih_l0"), "holds no LSTM"),
        (lambda w: w.pop("weight_hh_l0"), "weight_hh_l0 is missing"),
        (lambda w: w.update(weight_hh_l1_reverse=w["weight_hh_l1"]), "weight_hh_l1_reverse belongs to no layer"),
        (lambda w: w.update(weight_hh_l3=w["weight_hh_l1"]), "weight_hh_l3 belongs to no layer"),
        (lambda w: w.update(weight_hh_l0=np.array(1.0)), r"weight_hh_l0 has shape \(\)"),
        (lambda w: w.update(weight_ih_l0=np.array(1.0)), r"weight_ih_l0 has shape \(\)"),
    ],
)
def test_weights_that_do_not_fit_are_named(change, said: str) -> None:
    weights, _ = made(2)
    change(weights)
    with pytest.raises(ModelError, match=said):
        lstm_of(weights, subject="weights.safetensors")


def test_a_seed_gives_the_same_weights_again_and_another_seed_others() -> None:
    assert np.array_equal(made(seed=3)[0]["weight_ih_l0"], made(seed=3)[0]["weight_ih_l0"])
    assert not np.array_equal(made(seed=3)[0]["weight_ih_l0"], made(seed=4)[0]["weight_ih_l0"])
