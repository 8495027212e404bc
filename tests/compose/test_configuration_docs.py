"""docs/configuration.md names every group, option and key of conf/, and nothing else."""

import re
from pathlib import Path

from omegaconf import OmegaConf

from provrunner.compose import package_conf
from provrunner.compose.load import config_keys

_DOCS = (Path(__file__).parents[2] / "docs/configuration.md").read_text(encoding="utf-8")


def _shipped() -> set[str]:
    """Return what conf/ holds: `group/option`, and the keys of each group and of config.yaml."""
    names = set()
    for path in package_conf().rglob("*.yaml"):
        config = OmegaConf.load(path)
        keys = [key for key in config_keys(config) if not key.startswith(("defaults", "hydra"))]
        if path.parent == package_conf():
            names |= set(keys)
            continue
        group = path.parent.name
        names.add(f"{group}={path.stem}")
        if "@package _global_" not in path.read_text(encoding="utf-8"):
            names |= {f"{group}.{key}" for key in keys}
    return names


def test_every_group_option_and_key_is_documented_and_no_other():
    documented = set(re.findall(r"^\| `([^`]+)`", _DOCS, flags=re.MULTILINE))
    assert documented == _shipped()
