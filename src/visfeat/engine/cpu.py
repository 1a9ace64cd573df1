"""What the CPU is: its instruction sets decide the last bits of a feature, so the engine records them."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import lru_cache
from pathlib import Path

_RELEVANT = (
    "sse4_2", "avx", "avx2", "fma", "avx512f", "avx512bw", "avx512_vnni", "avx_vnni", "avx512_bf16", "avx512_fp16",
    "amx_tile", "amx_bf16", "amx_fp16", "amx_int8", "neon", "asimd", "asimdhp", "bf16", "i8mm", "sve",
)  # fmt: skip


def cores() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@lru_cache(maxsize=1)
def cpu_features() -> tuple[str, ...]:
    """The instruction sets that matter to arithmetic, as the operating system names them; empty where unknown."""
    words = set(_flags().lower().split())
    return tuple(name for name in _RELEVANT if name in words)


def cpu_name() -> str:
    """The CPU's model name, or the machine's architecture where the system does not tell."""
    for line in _cpuinfo().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return _sysctl("machdep.cpu.brand_string") or platform.processor() or platform.machine()


def _flags() -> str:
    for line in _cpuinfo().splitlines():
        if line.startswith(("flags", "Features")):
            return line.partition(":")[2]
    return _sysctl("machdep.cpu.features") + " " + _sysctl("machdep.cpu.leaf7_features")


def _cpuinfo() -> str:
    path = Path("/proc/cpuinfo")
    return path.read_text() if path.exists() else ""


def _sysctl(name: str) -> str:
    """A value of macOS's sysctl; empty elsewhere."""
    if platform.system() != "Darwin":
        return ""
    result = subprocess.run(["/usr/sbin/sysctl", "-n", name], capture_output=True, text=True, check=False)
    return result.stdout.strip()
