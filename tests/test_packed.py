"""The packed file: whole or not at all, the same bytes each time, and errors for what is something else."""

from __future__ import annotations

import zipfile

import pytest

from test_card import a_card
from visfeat.errors import ModelError
from visfeat.models.packed import PackedModel


def a_packed_model() -> PackedModel:
    return PackedModel(a_card(), b"<net/>", bytes(range(256)) * 10)


def test_saved_and_loaded_is_equal(tmp_path):
    path = tmp_path / "new" / "m.vfmodel"
    a_packed_model().save(path)
    assert PackedModel.load(path) == a_packed_model()
    assert [part.name for part in path.parent.iterdir()] == ["m.vfmodel"]


def test_the_same_model_gives_the_same_bytes(tmp_path):
    a_packed_model().save(tmp_path / "a.vfmodel")
    a_packed_model().save(tmp_path / "b.vfmodel")
    assert (tmp_path / "a.vfmodel").read_bytes() == (tmp_path / "b.vfmodel").read_bytes()


def test_the_digest_names_graph_and_weights_not_the_card():
    model = a_packed_model()
    assert model.digest == PackedModel(a_card(name="other"), model.graph_xml, model.weights).digest
    assert model.digest != PackedModel(model.card, model.graph_xml, model.weights[1:]).digest


def test_a_failed_save_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "m.vfmodel"
    a_packed_model().save(path)
    before = path.read_bytes()
    with pytest.raises(TypeError):
        PackedModel(a_card(), b"<net/>", None).save(path)
    assert path.read_bytes() == before
    assert [part.name for part in tmp_path.iterdir()] == ["m.vfmodel"]


def test_a_missing_file_is_said_with_the_command_that_makes_one(tmp_path):
    with pytest.raises(ModelError, match="no such file; visfeat pack MODEL -o FILE.vfmodel"):
        PackedModel.load(tmp_path / "none.vfmodel")


def test_something_else_is_said_so(tmp_path):
    path = tmp_path / "m.vfmodel"
    path.write_bytes(b"<html>not found</html>")
    with pytest.raises(ModelError, match="m.vfmodel: not a packed model or damaged"):
        PackedModel.load(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(ModelError, match="it has no card.toml"):
        PackedModel.load(path)


def test_a_damaged_byte_is_noticed(tmp_path):
    path = tmp_path / "m.vfmodel"
    a_packed_model().save(path)
    data = bytearray(path.read_bytes())
    data[data.index(bytes(range(256))) + 700] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError, match="damaged"):
        PackedModel.load(path)
