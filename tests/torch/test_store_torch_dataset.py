"""A store as a torch dataset."""

from __future__ import annotations

import math

import numpy as np
import pytest

from store_made import store_with

torch = pytest.importorskip("torch")


def test_dataset_goes_through_a_data_loader(tmp_path):
    store = store_with(tmp_path / "s", {"/b.mp4": 3, "/a.png": 1})
    dataset = store.torch_dataset()
    assert len(dataset) == 4
    (batch,) = torch.utils.data.DataLoader(dataset, batch_size=4)
    np.testing.assert_array_equal(batch[0].numpy(), store.features()[0])
    assert batch[1]["uri"] == ["/a.png", "/b.mp4", "/b.mp4", "/b.mp4"]
    assert batch[1]["frame_index"].tolist() == [-1, 0, 12, 24]
    assert math.isnan(batch[1]["start_s"][0])
    assert batch[1]["end_s"][1:].tolist() == [0.5, 1.0, 1.5]
