"""What a measurement was taken on: a number without its machine is worth nothing."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

from visfeat.engine.cpu import cores, cpu_features, cpu_name

PACKAGES = ("visfeat", "openvino", "simplejpeg", "cykooz-resizer", "pillow", "av", "pylance", "torch", "timm")


def describe_machine() -> dict[str, str]:
    """CPU, cores, instruction sets, memory, load, system and versions."""
    facts = {
        "cpu": cpu_name(),
        "cores": str(cores()),
        "features": " ".join(cpu_features()) or "unknown",
        "memory": _memory(),
        "load_before": _load(),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
    }
    return facts | {name: _version(name) for name in PACKAGES}


def warn_if_busy() -> None:
    """Say so where other work is running: eager torch suffers from it most, so the ratios would flatter visfeat."""
    if hasattr(os, "getloadavg") and os.getloadavg()[0] > 0.5 * cores():
        print(f"warning: the machine is busy (load {_load()} on {cores()} cores); these figures will be doubtful")


def _memory() -> str:
    if not hasattr(os, "sysconf"):
        return "unknown"
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"


def _load() -> str:
    """Processes that were running or waiting during the last minute: other work makes the figures doubtful."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
