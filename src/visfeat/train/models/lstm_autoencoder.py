"""An LSTM that reads a sequence and another that writes it down again: vectors of sequences without labels.

Srivastava, Mansimov and Salakhutdinov, "Unsupervised Learning of Video Representations using LSTMs", 2015. The
encoder's state (h, C) after the last step is all that the decoder gets to know:

    encoder   (h, C)_t = LSTM(x_t, (h, C)_(t-1)),                  t = 1 ... T
    decoder   (h', C')_0 = (h, C)_T;   y_t = W h'_t + b            reconstructs x_T, x_(T-1), ..., x_1
    loss      mean of (y - x)^2

Backwards, since then the first steps of the decoder are about what the encoder saw last. The decoder's input is zero,
or, where it is ``conditioned``, what it wrote before. The cell's formulas stand in ``cnn_lstm.py``.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LstmAutoencoder(nn.Module):
    """Encoder, decoder and the linear layer between the decoder's outputs and the sequence's vectors."""

    def __init__(self, features: int, *, hidden: int = 256, layers: int = 1, conditioned: bool = False) -> None:
        super().__init__()
        self.conditioned = conditioned
        self.lstm = nn.LSTM(features, hidden, layers, batch_first=True)
        self.decoder = nn.LSTM(features, hidden, layers, batch_first=True)
        self.fc = nn.Linear(hidden, features)

    def encode(self, sequences: Tensor) -> Tensor:
        """Sequences ``(N, T, features)`` -> their vectors ``(N, hidden)``: the last layer's h after the last step."""
        _, (hidden, _) = self.lstm(sequences)
        return hidden[-1]  # type: ignore[no-any-return]

    def forward(self, sequences: Tensor) -> Tensor:
        """Sequences ``(N, T, features)`` -> their reconstructions, in the same order."""
        _, state = self.lstm(sequences)
        steps = sequences.shape[1]
        if not self.conditioned:
            outputs, _ = self.decoder(torch.zeros_like(sequences), state)
            return self.fc(outputs).flip(1)  # type: ignore[no-any-return]
        written: list[Tensor] = []
        last = torch.zeros_like(sequences[:, :1])
        for _ in range(steps):
            output, state = self.decoder(last, state)
            last = self.fc(output)
            written.append(last)
        return torch.cat(written, dim=1).flip(1)
