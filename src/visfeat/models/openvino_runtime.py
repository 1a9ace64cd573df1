"""The one door to OpenVINO: every module of visfeat that needs it says ``from ...openvino_runtime import ov``.

OpenVINO's import writes an identifier into the home folder and reports each import and each conversion to its
makers. Where the package that does so is absent OpenVINO goes without, so it is hidden from this process, unless
somebody else imported it before.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import cast

_REPORTER = "openvino_telemetry"
if _REPORTER not in sys.modules:
    # None makes an import fail as if the package were not installed. It stays: parts of OpenVINO come later.
    sys.modules[_REPORTER] = cast(ModuleType, None)

import openvino as ov  # noqa: E402

__all__ = ["ov"]
