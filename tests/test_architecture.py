"""The shape of the house: what may import what, checked where import-linter cannot see it."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"
TORCH_WORLD = ("torch", "torchvision", "timm", "transformers", "open_clip")
HEAVY = (
    *TORCH_WORLD,
    "safetensors",
    "sklearn",
    "openvino",
    "lance",
    "lancedb",
    "av",
    "pyarrow",
    "numpy",
    "PIL",
    "cv2",
    "faiss",
)


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_names(tree: ast.AST) -> set[str]:
    """Every module named by an import statement anywhere in a file, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
    return names


MODULES = {module_name(path): path for path in sorted((SOURCE / "visfeat").rglob("*.py"))}
TREES = {name: ast.parse(path.read_text("utf-8")) for name, path in MODULES.items()}


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def torch_side() -> set[str]:
    """The modules that may import torch when they are imported, as the import rules name them."""
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    (rule,) = (contract for contract in contracts if contract["name"] == "The core has no torch")
    return {line.removesuffix(" -> *") for line in rule["ignore_imports"] if line.endswith(" -> *")}


CORE = sorted(MODULES.keys() - torch_side())


def modules_after(code: str) -> set[str]:
    """Top-level names in sys.modules of a fresh interpreter that ran the code."""
    script = f"{code}\nimport sys, json; print(json.dumps(sorted({{m.partition('.')[0] for m in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_whole_core_never_leads_to_torch() -> None:
    code = "import importlib\n" + "\n".join(f"importlib.import_module({name!r})" for name in CORE)
    assert modules_after(code) & set(TORCH_WORLD) == set()


def test_the_import_rules_name_modules_that_are_there() -> None:
    assert torch_side() - MODULES.keys() == set()


def test_public_names_stay_what_they_are_whatever_was_imported() -> None:
    """A package of the same name as a function would take its place as soon as one of its modules is imported."""
    everything = "; ".join(f"import {name}" for name in CORE)
    code = (
        f"import visfeat as vf, types; {everything}\n"
        "print([name for name in vf.__all__ if isinstance(getattr(vf, name), types.ModuleType)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("code", ["import visfeat", "import visfeat.cli.main"])
def test_starting_imports_nothing_heavy(code: str) -> None:
    assert modules_after(code) & set(HEAVY) == set()


def test_help_imports_nothing_heavy() -> None:
    code = "import visfeat.cli.main as m, sys\nsys.argv = ['visfeat', '--help']\ntry: m.main()\nexcept SystemExit: pass"
    assert modules_after(code) & set(HEAVY) == set()


def test_extract_leaves_the_import_of_lance_to_the_time_of_compilation() -> None:
    assert modules_after("import visfeat.extraction.run") & {"lance", "pyarrow", "torch"} == set()


def test_nothing_inside_imports_the_public_face() -> None:
    assert [name for name in MODULES if "visfeat" in imported_names(TREES[name])] == []


def test_every_built_in_plugin_is_there() -> None:
    from visfeat.plugins import _BUILT_IN

    missing = []
    for group in _BUILT_IN.values():
        for plugin in group:
            module, _, attribute = plugin.target.partition(":")
            tree = TREES.get(module, ast.Module(body=[]))
            if attribute not in {node.name for node in tree.body if isinstance(node, ast.ClassDef)}:
                missing.append(plugin.target)
    assert missing == []


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_the_pages_name_files_that_are_there(page: str) -> None:
    named = set(re.findall(r"`((?:\w+/)*(?:\w+\.py|\w+/))`", (ROOT / page).read_text("utf-8")))
    places = (ROOT, SOURCE / "visfeat")
    assert named
    assert [name for name in sorted(named) if not any((place / name).exists() for place in places)] == []


def canonical(requirement: str) -> str:
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name, requirement
    return re.sub(r"[-_.]+", "-", name.group()).lower()


def test_every_direct_dependency_is_pinned() -> None:
    project = PROJECT["project"]
    extras = project["optional-dependencies"]
    # Services that users bring along; no make target installs them.
    installed = [extras[name] for name in extras if name not in ("mlflow", "wandb")]
    wanted = {canonical(r) for group in installed for r in group}
    wanted |= {canonical(r) for r in project["dependencies"]} - {"visfeat"}
    pinned = {canonical(line) for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if line[0] != "#"}
    assert wanted - {"visfeat"} - pinned == set()


def test_pins_name_versions_and_no_addresses() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if not line.startswith("#")]
    assert [line for line in lines if "==" not in line or "//" in line or "@" in line] == []


def test_installed_version_is_the_declared_one() -> None:
    assert importlib.metadata.version("visfeat") == PROJECT["project"]["version"]
