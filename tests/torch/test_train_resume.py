"""A training that was killed goes on to the same weights, bit for bit."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from train_made import digits_folder
from visfeat.train.run import train
from visfeat.train.settings import Settings

CHILD = """
import sys
from visfeat.train.run import train
from visfeat.train.settings import Settings

train(Settings.from_toml(sys.argv[1]), report=lambda line: print(line, flush=True))
"""


def settings(data: Path, out: Path, **changes) -> Settings:
    options = {"epochs": 4, "batch_size": 32, "size": 8, "dropout": 0.3, "augment": ("shift:1",), "logger": ("csv",)}
    return Settings.from_options(data=(str(data),), out=str(out), **(options | changes))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return digits_folder(tmp_path_factory.mktemp("digits"), train=600, test=30)


@pytest.fixture(scope="module")
def undisturbed(data, tmp_path_factory):
    return train(settings(data, tmp_path_factory.mktemp("runs") / "whole"))


def killed(options: Settings, where: Path, *, at: str, checkpoint: str | None = None) -> list[str]:
    """Train in a process of its own and kill it as soon as it says ``at``, or as soon as a checkpoint is there."""
    file = where / "run.toml"
    file.write_text(options.to_toml())
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(file)], stdout=subprocess.PIPE, text=True)
    lines = []
    assert child.stdout is not None
    for line in child.stdout:
        lines.append(line)
        if at in line:
            break
    while checkpoint is not None and child.poll() is None:
        if list(Path(options.out or "").glob(f"checkpoints/{checkpoint}")):
            break
        # The child needs the cores.
        time.sleep(0.01)
    assert child.poll() is None, "the child ended before it could be killed"
    child.kill()
    child.wait()
    child.stdout.close()
    return lines


def weights(run) -> bytes:
    return (run.folder / "model.safetensors").read_bytes()


def test_a_killed_run_goes_on_to_the_same_weights(data, undisturbed, tmp_path):
    options = settings(data, tmp_path / "killed")
    killed(options, tmp_path, at="epoch 2 of 4")
    assert not (tmp_path / "killed" / "model.toml").exists()
    before_s = torch.load(tmp_path / "killed" / "checkpoints" / "last.ckpt", weights_only=True)["visfeat_seconds"]
    lines = []
    run = train(options, report=lines.append)
    assert any("going on" in line for line in lines), "it began anew"
    assert run.card.training["seconds"] > before_s > 0
    assert weights(run) == weights(undisturbed)


def test_a_run_killed_within_an_epoch_goes_on_from_its_last_step(data, undisturbed, tmp_path):
    options = settings(data, tmp_path / "killed", checkpoint_steps=5)
    killed(options, tmp_path, at="classes;", checkpoint="last-step*.ckpt")
    lines = []
    run = train(options, report=lines.append)
    (resumed,) = (line for line in lines if "going on" in line)
    assert int(resumed.split()[-1]) % 17 != 0, "of 17 batches an epoch some were done"
    assert weights(run) == weights(undisturbed)


def test_half_a_checkpoint_is_passed_over(data, undisturbed, tmp_path):
    options = settings(data, tmp_path / "damaged")
    shutil.copytree(undisturbed.folder, tmp_path / "damaged")
    (tmp_path / "damaged/model.toml").unlink()
    last = tmp_path / "damaged/checkpoints/last.ckpt"
    last.write_bytes(last.read_bytes()[:1000])
    lines = []
    run = train(options, report=lines.append)
    assert any("epoch 1 of 4" in line for line in lines)
    assert weights(run) == weights(undisturbed)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(data, undisturbed, tmp_path):
    assert weights(train(settings(data, tmp_path / "again"))) == weights(undisturbed)
    assert weights(train(settings(data, tmp_path / "other", seed=1))) != weights(undisturbed)
