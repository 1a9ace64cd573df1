"""A network of one's own whose code changes is another network, though its weights are the same."""

from __future__ import annotations

import sys

from visfeat.models.registry import load_model

SOURCE = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.act = nn.{activation}()

    def forward(self, x):
        return self.act(self.conv(x)).mean((2, 3)) * {factor}


def net():
    torch.manual_seed(0)
    return Net()
"""


def digest_of(folder, monkeypatch, **changes) -> str:
    (folder / "changing_net.py").write_text(SOURCE.format(**({"activation": "ReLU", "factor": 1} | changes)))
    monkeypatch.syspath_prepend(str(folder))
    sys.modules.pop("changing_net", None)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return load_model("changing_net:net").card.weights_digest


def test_parts_and_code_count(tmp_path, monkeypatch):
    first = digest_of(tmp_path, monkeypatch)
    assert digest_of(tmp_path, monkeypatch) == first
    assert digest_of(tmp_path, monkeypatch, activation="Sigmoid") != first
    assert digest_of(tmp_path, monkeypatch, factor=2) != first
