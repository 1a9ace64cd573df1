"""The LSTM in NumPy against torch's, and a CNN with an LSTM packed: states go in and come out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from visfeat.models.openvino_runtime import ov
from visfeat.models.quiet import quiet
from visfeat.temporal.attention import attention_of
from visfeat.temporal.lstm import State, lstm_of
from visfeat.train.models.cnn_lstm import Attention


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_states_are_torchs(layers: int, bidirectional: bool) -> None:
    torch.manual_seed(layers)
    module = nn.LSTM(20, 12, layers, batch_first=True, bidirectional=bidirectional)
    rows = torch.randn(1, 300, 20)
    h0, c0 = (torch.randn(layers * (1 + bidirectional), 1, 12) for _ in range(2))
    with torch.no_grad():
        expected, (h, c) = module(rows, (h0, c0))
    lstm = lstm_of({name: value.numpy() for name, value in module.state_dict().items()}, subject="torch")
    states, end = lstm.run(rows[0].numpy(), State(h0[:, 0].double().numpy(), c0[:, 0].double().numpy()))
    for found, wanted in ((states, expected[0]), (end.h, h[:, 0]), (end.c, c[:, 0])):
        np.testing.assert_allclose(found, wanted.numpy(), atol=2e-6)


def test_in_double_precision_states_are_torchs_to_the_last_digits() -> None:
    torch.manual_seed(0)
    module = nn.LSTM(20, 12, 2, batch_first=True, bidirectional=True).double()
    rows = torch.randn(1, 50, 20, dtype=torch.float64)
    with torch.no_grad():
        expected, _ = module(rows)
    lstm = lstm_of({name: value.numpy() for name, value in module.state_dict().items()}, subject="torch")
    np.testing.assert_allclose(lstm.run(rows[0].numpy())[0], expected[0].numpy(), atol=1e-13)


def test_attention_is_the_one_that_is_trained() -> None:
    torch.manual_seed(0)
    module = Attention(12)
    states = torch.randn(1, 40, 12)
    with torch.no_grad():
        expected = module(states)[0].numpy()
    weights = {f"attention.{name}": value.numpy() for name, value in module.state_dict().items()}
    np.testing.assert_allclose(attention_of(weights, subject="torch")(states[0].numpy()), expected, atol=1e-6)


class CnnLstm(nn.Module):
    """Frames ``(T, 3, H, W)`` and the states so far -> states at every step, and the states to go on with."""

    def __init__(self) -> None:
        super().__init__()
        self.cnn = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 16)
        )
        self.lstm = nn.LSTM(16, 10, 2, bidirectional=True)

    def forward(
        self, frames: torch.Tensor, h: torch.Tensor, c: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        states, (h, c) = self.lstm(self.cnn(frames).unsqueeze(1), (h, c))
        return states.squeeze(1), h, c


def test_a_cnn_with_a_two_layer_lstm_of_both_directions_packs_with_its_states() -> None:
    torch.manual_seed(0)
    module = CnnLstm().eval()
    state = (torch.randn(4, 1, 10), torch.randn(4, 1, 10))
    with torch.no_grad(), quiet():
        graph = ov.convert_model(
            module,
            example_input=(torch.randn(5, 3, 32, 32), *state),
            input=[("frames", [-1, 3, 32, 32]), ("h", [4, 1, 10]), ("c", [4, 1, 10])],
        )
        compiled = ov.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        for steps in (5, 9):
            frames = torch.randn(steps, 3, 32, 32)
            found = compiled([frames.numpy(), *(one.numpy() for one in state)])
            for index, wanted in enumerate(module(frames, *state)):
                np.testing.assert_allclose(found[index], wanted.numpy(), atol=5e-7)
