"""The command line: what a user types, reads and gets as exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from media_made import encoded, photo, write_numbered
from test_card import a_card
from visfeat.card import LayerSpec
from visfeat.cli.main import main
from visfeat.cli.parsing import duration_s, numbers
from visfeat.errors import UsageError
from visfeat.models.packed import PackedModel


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command."""
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return int(stopped.value.code or 0), out, err


@pytest.fixture(scope="module")
def media(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    for n in range(3):
        (folder / f"{n}.jpg").write_bytes(encoded(photo(seed=n), "JPEG"))
    write_numbered(folder / "v.mp4", 30)
    return folder


@pytest.fixture(scope="module")
def store(media, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("stores") / "s.vf"
    (media.parent / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    with pytest.raises(SystemExit) as stopped:
        main(["extract", str(media), str(media.parent / "broken.jpg"), "--store", str(path), "--quiet"])
    assert stopped.value.code == 3
    return path


def test_extract_json_is_one_object_and_nothing_else(capsys, media, tmp_path):
    code, out, _ = run(capsys, "extract", media, "--store", tmp_path / "s.vf", "--every", "500ms", "--json")
    data = json.loads(out)
    assert code == 0
    assert data["items"] == {"done": 4, "partial": 0, "failed": 0, "unchanged": 0, "ignored": 0}
    assert data["rows"] == 3 + 3
    assert len(data["recipe"]["digest"]) == 16
    assert Path(data["store"]) == tmp_path / "s.vf"


def test_extract_prints_a_summary(capsys, media, tmp_path):
    code, out, _ = run(capsys, "extract", media / "0.jpg", "--store", tmp_path / "s.vf")
    assert code == 0
    assert "done" in out
    assert str(tmp_path) in out.replace("\n", "")


def test_a_list_and_a_recipe_file(capsys, media, tmp_path):
    (tmp_path / "list.txt").write_text(f"{media / '0.jpg'}\n{media / '1.jpg'}\n")
    (tmp_path / "small.toml").write_text('layers = ["blocks.1.0"]\npool = "max"\n')
    code, out, _ = run(
        capsys, "extract", "--list", tmp_path / "list.txt", "-r", tmp_path / "small.toml", "-s", tmp_path / "s.vf",
        "--json",
    )  # fmt: skip
    assert (code, json.loads(out)["recipe"]["name"], json.loads(out)["rows"]) == (0, "small", 2)


def test_info_failures_and_items(capsys, store, media):
    code, out, _ = run(capsys, "info", store, "--json")
    assert code == 0
    assert json.loads(out)["path"] == str(store)
    code, out, _ = run(capsys, "failures", store, "--json")
    (failure,) = json.loads(out)
    assert (code, failure["status"]) == (0, "failed")
    assert failure["uri"].endswith("broken.jpg")
    assert failure["reason"]
    code, out, _ = run(capsys, "info", store, "--items", "--json")
    assert {Path(row["uri"]).name for row in json.loads(out)} == {"0.jpg", "1.jpg", "2.jpg", "v.mp4", "broken.jpg"}
    for arguments in (["info", store], ["failures", store], ["info", store, "--status", "failed"]):
        code, out, _ = run(capsys, *arguments)
        assert code == 0
        assert out
    assert failure["recipe"] in run(capsys, "failures", store)[1]


def test_info_and_doctor_are_tables_of_short_lines(capsys, store):
    lines = [line.rstrip() for line in run(capsys, "info", store)[1].splitlines()]
    facts = dict(line.strip().split(maxsplit=1) for line in lines if len(line.split()) > 1)
    assert facts["sampling"] == "every 1 s"
    assert facts["global_pool"] == "shape 1280, rows 5"
    assert facts["by_kind"] == "image 4, video 1"
    assert facts["device"] == "cpu"
    assert "options" in lines
    out = run(capsys, "doctor")[1]
    assert any(line.split() == ["h264", "h264"] for line in out.splitlines())
    assert max(len(line.rstrip()) for line in [*lines, *out.splitlines()]) < 160


def test_info_lists_several_recipes_a_line_each_before_it_tells_all(capsys, media, tmp_path):
    path = tmp_path / "s.vf"
    for options in ([], ["--temporal", "max"]):
        assert run(capsys, "extract", media, "-s", path, "-q", *options)[0] == 0
    lines = [line.split() for line in run(capsys, "info", path)[1].splitlines()]
    start = next(n for n, line in enumerate(lines) if line[:1] == ["recipe"])
    model = "bundled/efficientnet_lite0"
    assert lines[start + 1][1:] == [model, "every", "1", "s", "global_pool", "5"]
    assert lines[start + 2][1:] == [model, "every", "1", "s", "max", "global_pool", "4"]
    assert lines[start + 3] == []


def test_an_error_of_several_lines_reads_as_one(capsys, media, tmp_path):
    path = tmp_path / "s.vf"
    for size in ("64", "96"):
        run(capsys, "extract", media / "0.jpg", "-s", path, "-q", "--size", size)
    code, _, err = run(capsys, "watch", media / "v.mp4", "--against", path)
    assert (code, len(err.splitlines())) == (2, 1)
    assert "several features fit; say which by model, layer or recipe: recipe " in err


def test_export_parquet(capsys, store, tmp_path):
    code, out, _ = run(capsys, "export", store, "--to", "parquet", tmp_path / "out")
    assert code == 0
    table = pq.read_table(out.strip())
    assert table.column_names == ["uri", "kind", "model", "layer", "start_s", "end_s", "frame_index", "vector"]
    assert table.num_rows == 3 + 2
    assert np.isfinite(np.stack(table["vector"].to_pylist())).all()


def test_models_layers_doctor_and_cache(capsys):
    code, out, _ = run(capsys, "models", "efficientnet_lite0", "--json")
    assert code == 0
    assert "bundled/efficientnet_lite0" in json.loads(out)
    code, out, _ = run(capsys, "layers", "bundled/efficientnet_lite0", "--json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert rows["global_pool"]["default"]
    assert rows["blocks.0.0"]["shape"] == [16, 112, 112]
    code, out, _ = run(capsys, "layers", "bundled/transnetv2")
    assert "input: clips of 100 frames" in out
    code, out, _ = run(capsys, "layers", "bundled/efficientnet_lite0")
    assert "input: pictures, 224 x 224 px" in out
    assert "blocks.6.0" in out
    code, out, _ = run(capsys, "doctor", "--json")
    assert json.loads(out)["cpu"]["cores"] >= 1
    assert run(capsys, "cache", "show")[0] == 0
    assert run(capsys, "cache", "clear")[0] == 0


def test_layers_that_pass_on_their_input_are_listed_on_request(capsys, tmp_path):
    layers = [
        LayerSpec(name=name, kind="vector", shape=(8,), module=module)
        for name, module in (("norm", "Identity"), ("drop", "Dropout"), ("proj", "Linear"), ("pool", "Identity"))
    ]
    PackedModel(a_card(layers=tuple(layers)), b"<net/>", b"").save(tmp_path / "m.vfmodel")
    _, out, _ = run(capsys, "layers", tmp_path / "m.vfmodel", "--json")
    assert [row["name"] for row in json.loads(out)] == ["proj", "pool"]
    _, out, _ = run(capsys, "layers", tmp_path / "m.vfmodel", "--json", "--all")
    assert [row["name"] for row in json.loads(out)] == ["norm", "drop", "proj", "pool"]
    _, out, _ = run(capsys, "layers", tmp_path / "m.vfmodel")
    assert "(2 more pass on their input unchanged; --all lists them)" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["extract"], "nothing to extract"),
        (["extract", "/no/such/folder"], "/no/such/folder"),
        (["extract", ".", "--every", "soon"], "--every soon: 'soon' is not a duration"),
        (["extract", ".", "--every", "0s"], "must be more than 0"),
        (["extract", ".", "--every", "1s", "--fps", "2"], "exclude each other"),
        (["extract", ".", "--pool", "mean"], "pool"),
        (["extract", ".", "--crop", "1,2"], "--crop 1,2: needs 4 numbers"),
        (["extract", ".", "--threads", "0"], "--threads 0"),
        (["extract", ".", "--model", "tim/resnet50"], "did you mean timm"),
        (["extract", ".", "--unknown"], "--unknown"),
        (["extract", ".", "-r", "/no/recipe.toml"], "/no/recipe.toml: cannot be read"),
        (["frobnicate"], "frobnicate"),
        (["export", "s.vf", "out", "--to", "exel"], "no exporter is called 'exel'"),
        (["layers", "bundled/efficientnet_lite1"], "did you mean efficientnet_lite0"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.jpg").write_bytes(encoded(photo(), "JPEG"))
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert err.startswith("visfeat: error: ")
    assert message in err


def test_a_store_that_is_none_is_said_so(capsys, tmp_path):
    code, _, err = run(capsys, "info", tmp_path / "nothing.vf")
    assert code == 1
    assert "nothing.vf" in err
    assert err.count("\n") == 1


def test_ctrl_c_commits_and_exits_130(tmp_path):
    folder, path = tmp_path / "media", tmp_path / "s.vf"
    folder.mkdir()
    for n in range(4):
        write_numbered(folder / f"{n}.mp4", 500, keyframe_every=50)
    command = [sys.executable, "-m", "visfeat.cli.main", "extract", str(folder), "--store", str(path), "--every-frame"]
    command += ["--threads", "1", "--batch-size", "1"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ.copy()
    )
    # The store's folder appears once the model is compiled: the extraction has begun.
    for _ in range(600):
        if path.exists():
            break
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "the same command goes on" in err
    assert "Traceback" not in err


def test_durations_and_numbers():
    assert [float(duration_s(text, option="--every")) for text in ("0.5", "0.5s", "500ms", "2min", "1h")] == [
        0.5, 0.5, 0.5, 120, 3600,
    ]  # fmt: skip
    assert numbers("0.5,0.4,0.3", 3, option="--mean") == (0.5, 0.4, 0.3)
    with pytest.raises(UsageError, match="--mean x: needs 3 numbers"):
        numbers("x", 3, option="--mean")
