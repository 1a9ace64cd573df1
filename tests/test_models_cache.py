"""The cache of packed models: keys without torch, whole files, and clearing nothing but its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from test_packed import a_packed_model
from visfeat.models import cache


@pytest.fixture
def folder(tmp_path):
    before = os.environ.get("VISFEAT_CACHE")
    os.environ["VISFEAT_CACHE"] = str(tmp_path / "cache")
    yield tmp_path / "cache"
    if before is None:
        del os.environ["VISFEAT_CACHE"]
    else:
        os.environ["VISFEAT_CACHE"] = before


def test_stored_is_found_and_cleared_is_gone(folder):
    key = cache.cache_key("timm/resnet18")
    assert cache.cached(key) is None
    path = cache.store(key, a_packed_model())
    assert folder in path.parents
    assert cache.cached(key) == a_packed_model()
    assert cache.cache_size_bytes() == path.stat().st_size > 0
    assert cache.clear_cache() > 0
    assert cache.cached(key) is None
    assert cache.cache_size_bytes() == 0


def test_clearing_leaves_what_is_not_its_own(folder):
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    (folder / "other.vfmodel").write_text("mine")
    cache.store(cache.cache_key("timm/a"), a_packed_model())
    cache.clear_cache()
    assert sorted(part.name for part in folder.iterdir() if part.is_file()) == ["notes.txt", "other.vfmodel"]


def test_a_damaged_entry_counts_as_absent_and_goes(folder):
    key = cache.cache_key("timm/resnet18")
    path = cache.store(key, a_packed_model())
    path.write_bytes(path.read_bytes()[:100])
    assert cache.cached(key) is None
    assert not path.exists()


def test_the_key_tells_apart_what_differs(tmp_path):
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(b"1")
    first = cache.cache_key("timm/resnet18", weights=str(weights))
    keys = {
        first,
        cache.cache_key("timm/resnet18"),
        cache.cache_key("timm/resnet34"),
        cache.cache_key("timm/resnet18", size_px=160),
        cache.cache_key("timm/resnet18", weights="random:1"),
    }
    assert cache.cache_key("timm/resnet18", weights=str(weights)) == first
    weights.write_bytes(b"22")
    keys.add(cache.cache_key("timm/resnet18", weights=str(weights)))
    assert len(keys) == 6


def test_a_changed_file_in_a_models_folder_changes_the_key(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    before = cache.cache_key(f"hf/{tmp_path}")
    (tmp_path / "config.json").write_text('{"a": 1}')
    assert cache.cache_key(f"hf/{tmp_path}") != before


@pytest.mark.parametrize("model", ["my.nets:build", "own/my.nets:build", "elsewhere/net", "net.onnx"])
def test_what_names_do_not_pin_down_has_no_key(model):
    assert cache.cache_key(model) is None


def test_the_key_needs_no_torch():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from visfeat.models.cache import cache_key\n"
        "print(cache_key('timm/resnet18'))"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert run.stdout.strip() == cache.cache_key("timm/resnet18")


def test_two_processes_storing_at_once_leave_one_whole_file(folder):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from test_packed import a_packed_model\n"
        "from visfeat.models import cache\n"
        "for _ in range(50):\n"
        "    cache.store('k', a_packed_model()); assert cache.cached('k') == a_packed_model()\n"
    )
    here = os.path.dirname(__file__)
    running = [subprocess.Popen([sys.executable, "-c", code, here]) for _ in range(2)]
    assert [process.wait() for process in running] == [0, 0]
    assert [path.name for path in (folder / "packed").iterdir()] == ["k.vfmodel"]
