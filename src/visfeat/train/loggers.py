"""Where the numbers of a training go: files beside the run, or a tracking server, through Lightning's loggers."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import CSVLogger, Logger, MLFlowLogger, TensorBoardLogger, WandbLogger

from visfeat.errors import MissingExtra, UsageError
from visfeat.train.settings import Settings

LOGGERS = ("csv", "tensorboard", "mlflow", "wandb")
PROJECT = "visfeat"
"""The experiment of MLflow, the project of Weights & Biases."""
_MODULES = {"mlflow": "mlflow", "wandb": "wandb"}
_MLFLOW_URI, _MLFLOW_RUN = "MLFLOW_TRACKING_URI", "mlflow-run.txt"


def check_loggers(names: tuple[str, ...]) -> None:
    """Raise UsageError for a logger that is not there, MissingExtra for one that is not installed."""
    for name in names:
        if name not in LOGGERS:
            raise UsageError(f"--logger {name}: there are {', '.join(LOGGERS)}")
        if name in _MODULES and find_spec(_MODULES[name]) is None:
            raise MissingExtra(f"--logger {name}", extra=name)


def loggers(settings: Settings, folder: Path) -> list[Logger]:
    """The loggers that the settings name, their files in ``folder``; a run that goes on is the same run to them."""
    check_loggers(settings.logger)
    make = {"csv": _csv, "tensorboard": _tensorboard, "mlflow": _mlflow, "wandb": _wandb}
    return [make[name](settings, folder) for name in settings.logger]


def mlflow_options(settings: Settings, folder: Path) -> dict[str, Any]:
    """What MLflow is told: the server of MLFLOW_TRACKING_URI, else the folder ``mlflow``."""
    known = folder / _MLFLOW_RUN
    return {
        "experiment_name": PROJECT,
        "run_name": _name(settings, folder),
        "tracking_uri": os.environ.get(_MLFLOW_URI) or (folder / "mlflow").absolute().as_uri(),
        "run_id": known.read_text("utf-8").strip() if known.is_file() else None,
    }


def wandb_options(settings: Settings, folder: Path) -> dict[str, Any]:
    """What Weights & Biases is told; its own variables (WANDB_MODE, WANDB_API_KEY) say where to, and whether at all."""
    name = _name(settings, folder)
    return {
        "project": PROJECT,
        "name": name,
        "save_dir": folder,
        "id": f"{name}-{settings.digest}",
        "resume": "allow",
        "config": settings.model_dump(mode="json", exclude_none=True),
    }


def _csv(settings: Settings, folder: Path) -> Logger:  # noqa: ARG001 (as the others)
    return CSVLogger(folder, name="csv")


def _tensorboard(settings: Settings, folder: Path) -> Logger:  # noqa: ARG001 (as the others)
    return TensorBoardLogger(folder, name="tensorboard")


def _mlflow(settings: Settings, folder: Path) -> Logger:
    # Without this word MLflow 3 refuses folders, and a server needs no word.
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    made = MLFlowLogger(**mlflow_options(settings, folder))
    made.log_hyperparams(settings.model_dump(mode="json", exclude_none=True))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MLFLOW_RUN).write_text(str(made.run_id), "utf-8")
    return made


def _wandb(settings: Settings, folder: Path) -> Logger:
    folder.mkdir(parents=True, exist_ok=True)
    return WandbLogger(**wandb_options(settings, folder))


def _name(settings: Settings, folder: Path) -> str:
    return Path(settings.out).name if settings.out else folder.parent.name
