"""What the installation is said to be able to do."""

from __future__ import annotations

import tomllib
from pathlib import Path

from visfeat.doctor import EXTRAS, examine


def test_every_extra_is_looked_for_and_found_or_said_with_its_pip_line():
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text("utf-8"))["project"]
    assert set(EXTRAS) == set(project["optional-dependencies"]) - {"all", "dev"}
    for name, found in examine()["extras"].items():
        assert found == "installed" or found.endswith(f"pip install 'visfeat[{name}]'")
