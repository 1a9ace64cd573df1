"""docs/plugins.md as it stands: its package is written, found by its entry point, passes its suite and extracts."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from media_made import encoded, photo
from plugin_made import python, write_package

PAGE = Path(__file__).parents[2] / "docs" / "plugins.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    """A folder with the page's package, as an installer would leave it."""
    folder = tmp_path_factory.mktemp("site")
    source, test = blocks("python")
    (toml,) = blocks("toml")
    project = tomllib.loads(toml)["project"]
    write_package(folder, project["name"], "", project["entry-points"])
    (folder / "mine.py").unlink()
    (folder / "mine").mkdir()
    (folder / "mine" / "__init__.py").touch()
    (folder / "mine" / "models.py").write_text(source)
    (folder / "test_mine.py").write_text(test)
    return folder


def test_the_source_has_25_lines(package):
    lines = [line for line in (package / "mine" / "models.py").read_text().splitlines() if line.strip()]
    assert len(lines) <= 25


def test_it_passes_the_suite(package):
    result = python(package, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_mine.py")
    assert result.returncode == 0, result.stdout
    assert re.search(r"^5 passed", result.stdout, re.MULTILINE), result.stdout


def test_it_extracts_and_is_listed(package, tmp_path):
    (tmp_path / "a.jpg").write_bytes(encoded(photo(), "JPEG"))
    arguments = ["extract", str(tmp_path / "a.jpg"), "--store", str(tmp_path / "s.vf"), "--json"]
    result = python(package, "-m", "visfeat.cli.main", *arguments, "--model", "mine/tiny", "--weights", "random:0")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["items"]["done"] == 1
    listed = python(package, "-m", "visfeat.cli.main", "models", "mine/*", "--json")
    assert json.loads(listed.stdout) == ["mine/tiny"]
