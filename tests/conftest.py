"""What all tests share: no torch tests without torch, a cache folder of the test run's own, calm property tests."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import HealthCheck, settings

from stream_made import piped

# Slow and noisy machines run these too: a property test fails on a wrong answer, not on a late one.
settings.register_profile("visfeat", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("visfeat")

collect_ignore = [] if importlib.util.find_spec("torch") else ["torch"]


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Packed and compiled models of this run stay out of the user's cache; subprocesses inherit the folder."""
    before = os.environ.get("VISFEAT_CACHE")
    folder = tmp_path_factory.mktemp("visfeat-cache")
    os.environ["VISFEAT_CACHE"] = str(folder)
    yield folder
    if before is None:
        del os.environ["VISFEAT_CACHE"]
    else:
        os.environ["VISFEAT_CACHE"] = before


@pytest.fixture
def pipe() -> Iterator[Callable[..., BinaryIO]]:
    """Makes pipes as ``piped`` does, which are closed afterwards."""
    made: list[BinaryIO] = []

    def make(*about: Any) -> BinaryIO:
        made.append(piped(*about))
        return made[-1]

    yield make
    for one in made:
        one.close()
