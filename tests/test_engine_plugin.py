"""An engine of another package whose memory is small: the run starts anew with half the batch, and says so."""

from __future__ import annotations

import json

import visfeat as vf
from media_made import encoded, photo
from plugin_made import SMALL_MEMORY, python, write_package


def test_out_of_memory_keeps_the_views_of_a_row_together(tmp_path):
    package, store = tmp_path / "site", tmp_path / "s.vf"
    package.mkdir()
    write_package(package, "small", SMALL_MEMORY, {"visfeat.engines": {"small": "small:SmallMemory"}})
    (tmp_path / "a.jpg").write_bytes(encoded(photo(), "JPEG"))
    command = ["-m", "visfeat.cli.main", "extract", str(tmp_path / "a.jpg"), "--store", str(store), "--json"]
    result = python(package, *command, "--engine", "small", "--batch-size", "13", "--crops", "3")
    assert result.returncode == 0, result.stderr
    assert "anew with 9 at a time" in result.stderr
    assert "anew with 6 at a time" in result.stderr
    assert json.loads(result.stdout)["rows"] == 1


def test_out_of_memory_halves_the_batch(tmp_path):
    package, media, store = tmp_path / "site", tmp_path / "media", tmp_path / "s.vf"
    package.mkdir()
    media.mkdir()
    write_package(package, "small", SMALL_MEMORY, {"visfeat.engines": {"small": "small:SmallMemory"}})
    for n in range(3):
        (media / f"{n}.jpg").write_bytes(encoded(photo(seed=n), "JPEG"))
    command = ["-m", "visfeat.cli.main", "extract", str(media), "--store", str(store), "--json"]
    result = python(package, *command, "--engine", "small", "--batch-size", "8")
    assert result.returncode == 0, result.stderr
    data = json.loads(result.stdout)
    assert (data["items"]["done"], data["rows"]) == (3, 3)
    assert "anew with 4 at a time" in result.stderr
    assert "anew with 2 at a time" in result.stderr
    stored = {each.digest: each.recipe for each in vf.open_store(store).recipes()}
    recipe = stored[data["recipe"]["digest"]]
    assert (recipe.engine, recipe.batch_size) == ("small", 2)
