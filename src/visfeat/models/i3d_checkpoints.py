"""I3D's weights in the other public conversion to PyTorch (hassony2/kinetics_i3d_pytorch, video_features) as ours.

It is the same network under other names, whose batch normalization adds 1e-5 to the variance where TensorFlow's, and
so ours, adds 1e-3. Variances smaller by the difference make up for that: ``(v - 0.00099) + 1e-3 = v + 1e-5``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

EPSILON, THEIR_EPSILON = 1e-3, 1e-5
_FIRST = "conv3d_1a_7x7.conv3d.weight"
_PARTS = (
    (r"^conv3d_0c_1x1\.", "logits."),
    (r"^conv3d_", "Conv3d_"),
    (r"^mixed_", "Mixed_"),
    (r"\.branch_0\.", ".b0."),
    (r"\.branch_([12])\.0\.", r".b\1a."),
    (r"\.branch_([123])\.1\.", r".b\1b."),
    (r"\.batch3d\.", ".bn."),
)


def in_our_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights under our names; a state dict that is no such conversion comes back as it is."""
    if _FIRST not in state:
        return dict(state)
    found = {}
    for name, value in state.items():
        ours = name
        for pattern, part in _PARTS:
            ours = re.sub(pattern, part, ours)
        found[ours] = value - (EPSILON - THEIR_EPSILON) if ours.endswith("bn.running_var") else value
    return found
