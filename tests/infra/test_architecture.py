"""docs/ARCHITECTURE.md names files and definitions that exist, and the dependencies that the crates have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.stack import ROOT

PAGE = (ROOT / "docs/ARCHITECTURE.md").read_text()
SPANS = sorted(set(re.findall(r"`([^`\n]+)`", PAGE)))
REFERENCES = [span for span in SPANS if re.fullmatch(r"[\w./-]+\.rs:\w+", span)]
# Files of the repository by their whole path.
PATHS = [span for span in SPANS if re.fullmatch(r"(cli|docs|functions|infra|shared|tests)/[\w./-]+", span)]
EXAMPLES = {"functions/fetch/"}
DEFINITION = r"\b(?:fn|struct|enum|trait|type|const|mod) {}\b"
MEMBERS = {
    "contract": "shared/contract",
    "engine": "shared/engine",
    "pipeline": "shared/pipeline",
    "aws": "shared/aws",
    "local": "infra/local",
    "cli": "cli",
    "bench": "tests/bench",
}


@pytest.mark.parametrize("reference", REFERENCES)
def test_a_reference_names_a_definition(reference: str) -> None:
    file, name = reference.split(":")
    text = (ROOT / file).read_text()
    assert re.search(DEFINITION.format(name), text), f"{file} defines no {name}"


@pytest.mark.parametrize("path", [path for path in PATHS if path not in EXAMPLES])
def test_a_path_exists(path: str) -> None:
    assert (ROOT / path).exists(), f"{path} does not exist"


def names_after_paths() -> list[tuple[str, str]]:
    """The names without their whole path in the checklists, each with the path before it in its line."""
    names = []
    for line in PAGE.split("## Checklists")[1].splitlines():
        before = ""
        for span in re.findall(r"`([^`]+)`", line):
            if span in PATHS:
                before = "" if span in EXAMPLES else span
            elif re.fullmatch(r"[a-z_/]+\.(rs|py|txt|yaml|sql)", span) and before:
                names.append((before, span))
    assert len(names) > 30
    return names


@pytest.mark.parametrize(("before", "name"), sorted(set(names_after_paths())))
def test_a_name_after_a_path_is_a_file_beside_it(before: str, name: str) -> None:
    folders = [folder for folder in [ROOT / before, *(ROOT / before).parents] if folder.is_relative_to(ROOT)]
    assert any((folder / name).is_file() for folder in folders), f"there is no {name} next to {before}"


def table_of_crates() -> dict[str, set[str]]:
    """The table "Crates and what they may depend on": crate path or pattern, names of its dependencies."""
    section = PAGE.split("## Crates and what they may depend on")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]+) \|", section, re.MULTILINE)
    return {path: set(re.findall("|".join(MEMBERS), names)) for path, names in rows}


def dependencies(crate: Path) -> set[str]:
    """The crates of the workspace that a crate depends on, without those of its tests."""
    section = re.search(
        r"^\[dependencies\]\n(.*?)(?=^\[|\Z)", (crate / "Cargo.toml").read_text(), re.DOTALL | re.MULTILINE
    )
    return set(re.findall(r"^penstock-(\w+)", section[1], re.MULTILINE)) if section else set()


def test_the_table_of_crates_is_that_of_the_manifests() -> None:
    table = table_of_crates()
    actual: dict[str, set[str]] = {}
    for path in table:
        crates = [manifest.parent for manifest in ROOT.glob(f"{path}/Cargo.toml")]
        assert crates, f"no crate at {path}"
        actual[path] = set[str]().union(*(dependencies(crate) for crate in crates))
    assert actual == table


def test_every_crate_is_in_the_table_and_has_a_readme_that_is_its_rustdoc() -> None:
    patterns = table_of_crates()
    workspace = {manifest.parent for path in patterns for manifest in ROOT.glob(f"{path}/Cargo.toml")}
    every = {
        file.parent for file in ROOT.glob("*/**/Cargo.toml") if "target" not in file.parts and file.parts[-2] != "fuzz"
    }
    every |= {file.parent for file in ROOT.glob("cli/Cargo.toml")}
    tracked = {crate for crate in every if not any(part.startswith(".") for part in crate.relative_to(ROOT).parts)}
    assert tracked == workspace
    for crate in workspace:
        assert (crate / "README.md").is_file(), f"{crate} has no README"
        sources = list((crate / "src").rglob("*.rs"))
        assert any("#![doc = include_str!(" in file.read_text() for file in sources), crate
