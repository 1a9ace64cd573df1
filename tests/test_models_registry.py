"""From a model's string to its source."""

from __future__ import annotations

import subprocess
import sys

import pytest

from visfeat.errors import UnknownModel, UsageError
from visfeat.models.bundled import BundledModels
from visfeat.models.files import GraphFiles, PackedFiles
from visfeat.models.registry import load_model, model_names, source_of


@pytest.mark.parametrize(
    ("model", "source", "name"),
    [
        ("bundled/efficientnet_lite0", BundledModels, "efficientnet_lite0"),
        ("resnet50.vfmodel", PackedFiles, "resnet50.vfmodel"),
        ("timm/resnet50.vfmodel", PackedFiles, "timm/resnet50.vfmodel"),
        ("packed/a/b.bin", PackedFiles, "a/b.bin"),
        ("./nets/a.onnx", GraphFiles, "./nets/a.onnx"),
        ("/nets/A.XML", GraphFiles, "/nets/A.XML"),
    ],
)
def test_prefixes_and_endings(model, source, name):
    found, inner = source_of(model)
    assert isinstance(found, source)
    assert inner == name


@pytest.mark.parametrize("model", ["resnet50", "", "bundled/", "nobody/resnet50", "a:b:c"])
def test_what_is_no_model_is_said_with_the_sources(model):
    with pytest.raises(UnknownModel, match="sources? of bundled, packed, onnx, timm"):
        load_model(model)


@pytest.mark.parametrize(
    ("model", "hint"),
    [
        ("resnet50", "did you mean timm/resnet50 or torchvision/resnet50?"),
        ("efficientnet_lite", "did you mean bundled/efficientnet_lite0?"),
    ],
)
def test_a_name_without_its_source_gets_those_that_may_have_it(model, hint):
    with pytest.raises(UnknownModel) as caught:
        load_model(model)
    assert f"no model {model!r}; {hint} (" in str(caught.value)


def test_a_file_of_weights_is_no_model_of_a_zoo():
    with pytest.raises(UnknownModel) as caught:
        load_model("mine.pth")
    assert "did you mean" not in str(caught.value)


def test_a_mistyped_source_gets_the_nearest():
    with pytest.raises(UnknownModel, match="did you mean bundled"):
        load_model("bundeld/efficientnet_lite0")


def test_names_by_pattern():
    assert model_names("bundled/*") == ["bundled/efficientnet_lite0", "bundled/transnetv2"]
    assert "bundled/efficientnet_lite0" in model_names("efficientnet_lite*")
    assert model_names("bundled/resnet*") == []


@pytest.mark.parametrize("pattern", ["lstm:*", "bundled/*", "classic/h?f"])
def test_a_zoo_is_not_imported_for_names_that_it_cannot_have(pattern):
    code = (
        "import sys; from visfeat.models.registry import model_names; "
        f"model_names({pattern!r}); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_network_of_shots_takes_its_own_size_only():
    with pytest.raises(UsageError, match="--size 64: bundled/transnetv2 takes 27 x 48 pixels"):
        load_model("bundled/transnetv2", size_px=64)
