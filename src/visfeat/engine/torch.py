"""The torch engine: runs a module itself, on CUDA, MPS or the CPU, with the same taps that packing uses.

Torch's numbers depend on the batch size in the last bits, so the size is fixed and belongs to the recipe.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from visfeat.card import LayerSpec
from visfeat.engine.cpu import cpu_features, cpu_name
from visfeat.engine.network import NetworkOptions, Outputs, Tag
from visfeat.errors import EngineError, OutOfMemory, UsageError
from visfeat.models.source import LoadedModel, ModuleModel
from visfeat.models.taps import TappedModule

GPU_BATCH_SIZE, CPU_BATCH_SIZE = 32, 16
GPU_CLIPS, CPU_CLIPS = 8, 2
"""Batches of clips, each of which has as many pixels as a batch of pictures."""
IN_FLIGHT = 2
"""Batches on a GPU at once: one computes while the next one's pixels travel."""

_PRECISIONS = {"f32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


class TorchEngine:
    """Runs modules with torch."""

    name = "torch"

    def compile(self, model: LoadedModel, options: NetworkOptions) -> TorchNetwork:
        """Move the module to the device; raises EngineError, UnknownLayer, UsageError or OutOfMemory."""
        if not isinstance(model, ModuleModel):
            raise EngineError(f"{model.card.name}: the torch engine runs modules; a packed model runs on openvino")
        return TorchNetwork(model, options)


@dataclass
class _Pending(Generic[Tag]):
    """A batch that was started; ``pixels`` stay until they were copied to the device."""

    tag: Tag
    pixels: Tensor
    outputs: dict[str, Tensor]
    done: torch.cuda.Event | None


class TorchNetwork:
    """A module on one device, with its taps and a fixed batch size."""

    def __init__(self, model: ModuleModel, options: NetworkOptions) -> None:
        """Check the device, move the module there."""
        self.layers: tuple[LayerSpec, ...] = tuple(model.card.layer(name) for name in options.layers)
        self._device = _device(options.device)
        self._clips = options.input.clip_frames > 1
        self.batch_size = options.whole_rows(self._own_batch_size())
        self._dtype = _PRECISIONS[options.precision]
        self._name = model.card.name
        if options.threads is not None and self._device.type == "cpu":
            torch.set_num_threads(options.threads)
        with self._memory():
            module = TappedModule(model.module, self.layers).to(self._device)
            # Convolutions on the tensor cores want the channels last.
            layout: Any = torch.channels_last_3d if self._clips else torch.channels_last
            self._module = module.to(memory_format=layout) if self._device.type == "cuda" else module
            self._mean = 255.0 * torch.tensor(options.input.mean, device=self._device)
            self._std = 255.0 * torch.tensor(options.input.std, device=self._device)
        self.facts: Mapping[str, str] = {
            "engine": "torch",
            "torch": str(torch.__version__),
            "device": options.device,
            "precision": options.precision,
            "batch_size": str(self.batch_size),
        } | _hardware(self._device)

    def stream(self, batches: Iterable[tuple[Tag, NDArray[np.uint8]]]) -> Iterator[tuple[Tag, Outputs]]:
        """Run batches uint8 ``(B, T, H, W, C)`` of exactly ``batch_size``; results come in order."""
        pending: deque[_Pending[Tag]] = deque()
        for tag, pixels in batches:
            self._check(pixels)
            pending.append(self._start(tag, pixels))
            if len(pending) >= (IN_FLIGHT if self._device.type == "cuda" else 1):
                yield self._finish(pending.popleft())
        while pending:
            yield self._finish(pending.popleft())

    def _own_batch_size(self) -> int:
        if self._clips:
            return CPU_CLIPS if self._device.type == "cpu" else GPU_CLIPS
        return CPU_BATCH_SIZE if self._device.type == "cpu" else GPU_BATCH_SIZE

    def _start(self, tag: Tag, pixels: NDArray[np.uint8]) -> _Pending[Tag]:
        host = torch.from_numpy(np.ascontiguousarray(pixels))
        on_cuda = self._device.type == "cuda"
        with self._memory(), torch.inference_mode(), _exact():
            if on_cuda:
                host = host.pin_memory()
            values = self._normalized(host.to(self._device, non_blocking=True))
            with self._autocast():
                results = self._module(values)
            outputs = {
                spec.name: result.float().to("cpu", non_blocking=on_cuda)
                for spec, result in zip(self.layers, results, strict=True)
            }
            done = torch.cuda.Event() if on_cuda else None  # type: ignore[no-untyped-call]
            if done is not None:
                done.record(torch.cuda.current_stream(self._device))
        return _Pending(tag, host, outputs, done)

    def _finish(self, batch: _Pending[Tag]) -> tuple[Tag, Outputs]:
        with self._memory():
            if batch.done is not None:
                batch.done.synchronize()
        # On a GPU's host the memory is pinned, of which there is little: copy.
        copy = batch.done is not None
        return batch.tag, {name: np.array(value.numpy(), copy=copy or None) for name, value in batch.outputs.items()}

    def _normalized(self, pixels: Tensor) -> Tensor:
        """uint8 ``(B, T, H, W, C)`` on the device -> float32 ``(B, C, H, W)``, or ``(B, C, T, H, W)`` for clips."""
        values = (pixels.float() - self._mean) / self._std
        return values.permute(0, 4, 1, 2, 3) if self._clips else values[:, 0].permute(0, 3, 1, 2)

    def _autocast(self) -> contextlib.AbstractContextManager[Any]:
        if self._dtype is None:
            return contextlib.nullcontext()
        return torch.autocast(self._device.type, dtype=self._dtype)

    @contextlib.contextmanager
    def _memory(self) -> Iterator[None]:
        """Within: what torch raises when the device is full, and what else it raises, as our errors."""
        try:
            yield
        except RuntimeError as error:
            if isinstance(error, torch.OutOfMemoryError) or "out of memory" in str(error).lower():
                if self._device.type == "cuda":
                    torch.cuda.empty_cache()
                raise OutOfMemory(
                    f"{self._name}: a batch of {self.batch_size} does not fit the memory of {self._device}; "
                    f"say --batch-size {max(1, self.batch_size // 2)}",
                    batch_size=self.batch_size,
                ) from error
            raise EngineError(f"{self._name}: torch failed on {self._device} ({error})") from error

    def _check(self, pixels: NDArray[np.uint8]) -> None:
        if pixels.dtype != np.uint8 or pixels.ndim != 5 or len(pixels) != self.batch_size:
            expected = f"uint8 ({self.batch_size}, T, H, W, C)"
            raise EngineError(f"torch: a batch must be {expected}; got {pixels.dtype} {pixels.shape}")


@contextlib.contextmanager
def _exact() -> Iterator[None]:
    """Within: float32 means float32 (no TF32), and the same input gives the same bits."""
    matmul = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = matmul


def _device(wanted: str) -> torch.device:
    """The device of that name; raises UsageError where torch does not have it."""
    kind, _, index = wanted.partition(":")
    if kind == "cpu":
        return torch.device("cpu")
    if kind == "mps":
        if not torch.backends.mps.is_available():
            raise UsageError("--device mps: torch finds no Metal device here; use --device cpu")
        return torch.device("mps")
    if kind == "cuda":
        count = torch.cuda.device_count()
        if int(index or 0) >= count:
            raise UsageError(f"--device {wanted}: torch finds {count} CUDA devices here; use --device cpu")
        return torch.device("cuda", int(index or 0))
    raise UsageError(f"--device {wanted}: the torch engine runs on cpu, cuda, cuda:N and mps")


def _hardware(device: torch.device) -> dict[str, str]:
    """What decides the last bits: the card and its libraries, or the CPU's instruction sets."""
    if device.type == "cuda":
        return {
            "device_name": torch.cuda.get_device_name(device),
            "cuda": str(torch.version.cuda),
            "cudnn": str(torch.backends.cudnn.version()),  # type: ignore[no-untyped-call]
        }
    if device.type == "mps":
        return {"device_name": "Metal"}
    return {
        "device_name": cpu_name(),
        "cpu_features": " ".join(cpu_features()),
        "threads": str(torch.get_num_threads()),
    }
