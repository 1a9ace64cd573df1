"""``visfeat train --logger``: files, MLflow's folder, and what is not installed."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from train_made import digit_pictures
from visfeat.errors import MissingExtra, UsageError
from visfeat.train.loggers import loggers, wandb_options
from visfeat.train.run import train
from visfeat.train.settings import Settings


def settings(folder, *names, epochs=1):
    pictures = folder / "pictures"
    if not pictures.exists():
        digit_pictures(pictures, each=6)
    return Settings(data=(str(pictures),), out=str(folder / "run"), size=8, epochs=epochs, logger=names)


def test_an_unknown_logger_is_refused_before_anything_is_done(tmp_path):
    with pytest.raises(UsageError, match="--logger paper: there are csv, tensorboard, mlflow, wandb"):
        train(settings(tmp_path, "csv", "paper"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["mlflow", "wandb"])
def test_a_logger_that_is_not_installed_says_how(tmp_path, name):
    if find_spec(name) is not None:
        pytest.skip(f"{name} is installed")
    with pytest.raises(MissingExtra, match=f"pip install 'visfeat\\[{name}\\]'"):
        train(settings(tmp_path, name))
    assert not (tmp_path / "run").exists()


def test_files(tmp_path):
    made = loggers(settings(tmp_path, "csv", "tensorboard"), tmp_path / "logs")
    assert [type(one).__name__ for one in made] == ["CSVLogger", "TensorBoardLogger"]


def test_wandb_is_told_the_same_run_again(tmp_path):
    given, folder = settings(tmp_path, "wandb"), tmp_path / "run" / "logs"
    options = wandb_options(given, folder)
    assert options["id"] == wandb_options(given, folder)["id"]
    assert options["id"] != wandb_options(settings(tmp_path, "wandb", epochs=2), folder)["id"]
    assert (options["name"], options["config"]["size"]) == ("run", 8)


def test_mlflow_keeps_the_curves_in_a_folder(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    done = train(settings(tmp_path, "mlflow", epochs=2))
    client = mlflow.MlflowClient((done.folder / "logs" / "mlflow").absolute().as_uri())
    (experiment,) = client.search_experiments(filter_string="name = 'visfeat'")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.run_name == "run"
    assert run.data.params["size"] == "8"
    assert len(client.get_metric_history(run.info.run_id, "val_top1")) == 2
