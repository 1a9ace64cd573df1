"""A network of pictures looks at each frame, an LSTM at the sequence of what it saw.

Donahue et al., "Long-term Recurrent Convolutional Networks for Visual Recognition and Description", 2015. At each step
the LSTM (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000) reads the frame's vector x and its
own last output h; [h, x] is the two of them one after the other, * the product value by value:

    f = sigmoid(W_f [h, x] + b_f)     how much of the memory is kept
    i = sigmoid(W_i [h, x] + b_i)     how much of the new is let in
    c = tanh(W_c [h, x] + b_c)        the candidate: what is new
    C = f * C + i * c                 the memory
    o = sigmoid(W_o [h, x] + b_o)     how much of the memory is shown
    h = o * tanh(C)                   the output

torch keeps the parts of W that belong to x and to h apart (``weight_ih``, ``weight_hh``), in the order i, f, c, o.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import torch
from torch import Tensor, nn

SequencePool = Literal["last", "attention"]


class Attention(nn.Module):
    """Which steps count: ``a_t = softmax over t of v tanh(W h_t + b)``, ``sum_t a_t h_t`` (Bahdanau et al. 2015)."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.project = nn.Linear(features, features)
        self.score = nn.Linear(features, 1, bias=False)

    def forward(self, states: Tensor) -> Tensor:
        """States ``(N, T, D)`` -> their weighted sum ``(N, D)``."""
        weights = torch.softmax(self.score(torch.tanh(self.project(states))), dim=1)
        return (weights * states).sum(dim=1)


class Last(nn.Module):
    """The state after the whole sequence: forward at the last step, backward (where there is one) at the first."""

    def __init__(self, hidden: int, *, bidirectional: bool) -> None:
        super().__init__()
        self.hidden, self.bidirectional = hidden, bidirectional

    def forward(self, states: Tensor) -> Tensor:
        """States ``(N, T, hidden or 2 hidden)`` -> ``(N, hidden or 2 hidden)``."""
        if not self.bidirectional:
            return states[:, -1]
        return torch.cat([states[:, -1, : self.hidden], states[:, 0, self.hidden :]], dim=1)


@dataclass(frozen=True)
class SequenceOptions:
    """The LSTM: width of its state, how many on top of each other, both directions or one, and what is looked at."""

    hidden: int = 256
    layers: int = 1
    bidirectional: bool = False
    pool: SequencePool = "last"


class CnnLstm(nn.Module):
    """A backbone for each frame, LSTM layers over time, one linear layer to the classes.

    ``backbone`` maps pictures ``(N, 3, H, W)`` to vectors ``(N, features)``; frozen, it stays as it is, in eval mode
    and without gradients.
    """

    def __init__(
        self,
        backbone: nn.Module,
        features: int,
        classes: int,
        sequence: SequenceOptions,
        *,
        dropout: float = 0.0,
        frozen: bool = True,
    ) -> None:
        super().__init__()
        self.frozen = frozen
        self.backbone = backbone.requires_grad_(False) if frozen else backbone
        self.lstm = nn.LSTM(
            features,
            sequence.hidden,
            sequence.layers,
            batch_first=True,
            bidirectional=sequence.bidirectional,
            dropout=dropout if sequence.layers > 1 else 0.0,
        )
        width = sequence.hidden * (2 if sequence.bidirectional else 1)
        attends = sequence.pool == "attention"
        self.pool = Attention(width) if attends else Last(sequence.hidden, bidirectional=sequence.bidirectional)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(width, classes)

    def forward(self, clips: Tensor) -> Tensor:
        """Normalized clips float ``(N, 3, T, H, W)`` -> logits ``(N, classes)``."""
        steps = clips.shape[2]
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            vectors = self.backbone(clips.transpose(1, 2).flatten(0, 1))
        states, _ = self.lstm(vectors.unflatten(0, (-1, steps)), self._zero_state(clips))
        return self.fc(self.dropout(self.pool(states)))  # type: ignore[no-any-return]

    def _zero_state(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        """H and C before the first step; said here, an exported graph makes them for as many clips as it is given."""
        number = self.lstm.num_layers * (2 if self.lstm.bidirectional else 1)
        zeros = clips.new_zeros(number, clips.shape[0], self.lstm.hidden_size)
        return zeros, zeros

    def train(self, mode: bool = True) -> Self:
        """Training mode for all but a frozen backbone, whose batch norms keep what they know."""
        super().train(mode)
        if self.frozen:
            self.backbone.eval()
        return self
