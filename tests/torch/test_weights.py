"""Weights from files: what fits, what does not and why, and what is never read."""

from __future__ import annotations

import pickle
from contextlib import contextmanager

import huggingface_hub.constants
import pytest
import timm
import torch
from safetensors.torch import save_file

from visfeat.errors import ModelError, UsageError, WeightsMismatch
from visfeat.models.registry import load_model
from visfeat.models.weights import weights_digest

MODEL = "timm/resnet18"


def load(weights, model=MODEL, size_px=64):
    return load_model(model, weights=str(weights), size_px=size_px)


@pytest.fixture(scope="module")
def trained():
    torch.manual_seed(7)
    return timm.create_model("resnet18").state_dict()


def equal(module, state):
    own = module.state_dict()
    return all(torch.equal(own[name], value) for name, value in state.items())


def test_safetensors_and_pth_give_the_same_digest(tmp_path, trained):
    save_file(trained, tmp_path / "w.safetensors")
    torch.save(trained, tmp_path / "w.pth")
    one, two = load(tmp_path / "w.safetensors"), load(tmp_path / "w.pth")
    assert equal(one.module, trained)
    assert one.card.weights_digest == two.card.weights_digest
    assert one.card.weights_digest != load("random:0").card.weights_digest


@pytest.mark.parametrize("wrap", ["state_dict", "model"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_what_training_scripts_put_around_is_taken_off(tmp_path, trained, wrap, prefix):
    state = {prefix + name: value for name, value in trained.items()}
    torch.save({wrap: state, "epoch": 3}, tmp_path / "w.pth")
    assert equal(load(tmp_path / "w.pth").module, trained)


def test_another_number_of_classes_builds_that_head(tmp_path):
    torch.manual_seed(1)
    state = timm.create_model("resnet18", num_classes=7).state_dict()
    save_file(state, tmp_path / "w.safetensors")
    model = load(tmp_path / "w.safetensors")
    assert equal(model.module, state)
    assert model.card.layer("fc").shape == (7,)
    assert model.card.class_names == ()


def test_a_missing_head_is_said_to_be_all_that_differs(tmp_path, trained):
    torch.save({name: value for name, value in trained.items() if not name.startswith("fc.")}, tmp_path / "w.pth")
    with pytest.raises(
        WeightsMismatch, match=r"timm/resnet18: only the classifier head differs \(2 missing: fc.weight"
    ):
        load(tmp_path / "w.pth")


def test_another_architecture_is_said_with_the_first_keys(tmp_path, trained):
    torch.save(trained, tmp_path / "w.pth")
    with pytest.raises(
        WeightsMismatch, match=r"w.pth does not fit timm/resnet34: another architecture \(.*layer1.2.conv1"
    ):
        load(tmp_path / "w.pth", "timm/resnet34")
    with pytest.raises(WeightsMismatch, match="another architecture"):
        load(tmp_path / "w.pth", "torchvision/squeezenet1_1")


class Evil:
    def __reduce__(self):
        return (print, ("code was run",))


def test_a_pickle_that_could_run_code_is_refused_unread(tmp_path, capsys):
    (tmp_path / "w.pth").write_bytes(pickle.dumps({"fc.weight": Evil()}))
    torch.save({"fc.weight": Evil()}, tmp_path / "v.pth")
    for name in ("w.pth", "v.pth"):
        with pytest.raises(ModelError, match=rf"{name}: holds more than tensors and could run code"):
            load(tmp_path / name)
    assert "code was run" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_damaged_and_missing_files_are_said_so(tmp_path, name):
    with pytest.raises(ModelError, match="no such file"):
        load(tmp_path / name)
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(ModelError, match=rf"{name}: not a readable"):
        load(tmp_path / name)


def test_no_state_dict_is_said_so(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "w.pth")
    with pytest.raises(ModelError, match="holds no state dict"):
        load(tmp_path / "w.pth")


def test_random_weights_follow_the_seed_and_leave_the_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one, again, other = (load(f"random:{seed}").card.weights_digest for seed in (1, 1, 2))
    assert one == again != other
    assert torch.equal(torch.rand(1), expected)
    with pytest.raises(UsageError, match="random:x: the seed must be a whole number"):
        load("random:x")


def test_the_digest_covers_names_shapes_and_values():
    def digest(**tensors):
        module = torch.nn.Module()
        for name, value in tensors.items():
            module.register_buffer(name, value)
        return weights_digest(module)

    base = digest(a=torch.zeros(2, 3), b=torch.ones(1))
    assert base == digest(b=torch.ones(1), a=torch.zeros(2, 3))
    different = [
        digest(a=torch.zeros(3, 2), b=torch.ones(1)),
        digest(c=torch.zeros(2, 3), b=torch.ones(1)),
        digest(a=torch.zeros(2, 3), b=torch.full((1,), 2.0)),
        digest(a=torch.zeros(2, 3), b=torch.ones(1, dtype=torch.float64)),
    ]
    assert len({base, *different}) == 5


@contextmanager
def offline(folder):
    """Within: the hub's client has neither a network nor anything on disk."""
    constants = huggingface_hub.constants
    before = constants.HF_HUB_OFFLINE, constants.HF_HUB_CACHE
    constants.HF_HUB_OFFLINE, constants.HF_HUB_CACHE = True, str(folder)
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE, constants.HF_HUB_CACHE = before


def test_without_a_network_pretrained_names_the_other_ways(tmp_path):
    wanted = r"resnet18: its pretrained weights could not be had.*--weights FILE.*random:SEED"
    with offline(tmp_path), pytest.raises(ModelError, match=wanted):
        load("pretrained")


def test_without_a_network_a_configuration_must_be_on_disk(tmp_path):
    wanted = r"^hf/nobody/none: its configuration could not be had.*hf/PATH with a local folder.*HF_HUB_OFFLINE"
    with offline(tmp_path), pytest.raises(ModelError, match=wanted):
        load_model("hf/nobody/none", weights="random:0")
