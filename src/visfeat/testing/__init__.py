"""Conformance suites: a plugin's author inherits one in a test file, and pytest runs it.

    from visfeat.testing import ModelSourceSuite

    class TestMyModels(ModelSourceSuite):
        model = "tiny"

        def source(self):
            return MyModels()

The suites need pytest only to be run; the built-in plugins pass the same ones.
"""

from __future__ import annotations

from visfeat.testing.decoders import DecoderSuite
from visfeat.testing.engines import EngineSuite
from visfeat.testing.exporters import ExporterSuite
from visfeat.testing.models import ModelSourceSuite

__all__ = ["DecoderSuite", "EngineSuite", "ExporterSuite", "ModelSourceSuite"]
