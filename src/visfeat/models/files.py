"""Models from files that need no torch: packed models, ONNX and OpenVINO graphs."""

from __future__ import annotations

from pathlib import Path

from visfeat.errors import ModelError, UsageError
from visfeat.models.bundled import refuse_other_length, refuse_other_weights
from visfeat.models.packed import PackedModel
from visfeat.models.source import ModelRequest


class PackedFiles:
    """The source ``packed``: a path that ends in .vfmodel."""

    needs_torch = False

    def names(self) -> list[str]:
        """None: the files may lie anywhere."""
        return []

    def load(self, request: ModelRequest) -> PackedModel:
        """Read the file; raises ModelError, and UsageError where other weights or another input are asked for."""
        refuse_other_weights(request.name, request)
        packed = PackedModel.load(Path(request.name).expanduser())
        refuse_other_length(request.name, packed.card, request)
        height, width = packed.card.input.size_px
        if request.size_px is not None and (height, width) != (request.size_px, request.size_px):
            raise UsageError(
                f"--size {request.size_px}: {request.name} is packed for {height} x {width} pixels; pack it anew: "
                f"visfeat pack {packed.card.name} --size {request.size_px} -o FILE"
            )
        return packed


class GraphFiles:
    """The source ``onnx``: a path that ends in .onnx, or in .xml (OpenVINO, with its .bin beside it)."""

    needs_torch = False

    def names(self) -> list[str]:
        """None: the files may lie anywhere."""
        return []

    def load(self, request: ModelRequest) -> PackedModel:
        """Read the graph and the card ``STEM.toml`` beside it, if there is one; raises ModelError or UsageError."""
        from visfeat.models.graph import read_graph

        path = Path(request.name).expanduser()
        if not path.is_file():
            raise ModelError(f"{request.name}: no such file")
        refuse_other_weights(request.name, request)
        return read_graph(path, request)
