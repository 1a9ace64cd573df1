"""The one door to OpenVINO: every module of visfeat that needs it says ``from ...openvino_runtime import ov``.

OpenVINO's import writes an identifier into the home folder and reports each import and each conversion to its
makers. Where the package that does so is absent OpenVINO goes without, so it is hidden while OpenVINO is imported.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import cast

_REPORTER = "openvino_telemetry"
_before = sys.modules.get(_REPORTER)
# None in sys.modules makes an import fail as if the package were not installed.
sys.modules[_REPORTER] = cast(ModuleType, None)
try:
    import openvino as ov
finally:
    if _before is None:
        del sys.modules[_REPORTER]
    else:
        sys.modules[_REPORTER] = _before

__all__ = ["ov"]
