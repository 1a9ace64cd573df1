"""What cannot be packed runs on torch, and the run says so once."""

from __future__ import annotations

import pytest

import visfeat as vf
from media_made import encoded, photo
from visfeat.errors import CannotPack

SOURCE = """
import torch
from torch import nn


class Sorts(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, 8)

    def forward(self, x):
        # Leaves torch: a trace keeps the numbers of its example for ever.
        x = torch.from_numpy(x.detach().cpu().numpy() * 2)
        return self.conv(x).mean((2, 3))


def net():
    return Sorts()
"""


def test_a_network_that_leaves_torch(tmp_path, monkeypatch):
    (tmp_path / "leaving_net.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    for n in range(3):
        (tmp_path / f"{n}.jpg").write_bytes(encoded(photo(seed=n), "JPEG"))
    said: list[str] = []
    options = {"model": "leaving_net:net", "weights": "random:0"}
    run = vf.extract([f"{tmp_path}/*.jpg"], store=tmp_path / "s.vf", report=said.append, **options)
    assert (run.items["done"], run.recipe.engine) == (3, "torch")
    assert sum("it runs on torch" in line for line in said) == 1
    with pytest.raises(CannotPack):
        vf.extract([f"{tmp_path}/*.jpg"], store=tmp_path / "t.vf", engine="openvino", **options)
