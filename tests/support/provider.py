"""Types, attributes and blocks of Terraform's AWS provider, read from the typings of `@cdktf/provider-aws`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from support.stack import ROOT

FOLDER = ROOT / ".tools/provider-aws-21.22.1"

INTERFACE = re.compile(r"^export interface (\w+)[^{\n]*\{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
PROPERTY = re.compile(r"/\*\*((?:(?!\*/).)*)\*/\s*readonly \w+(\??): (\w+)?", re.DOTALL)
# Only the link to the documentation has the name in the spelling of HCL.
SPELLED = re.compile(r"\w+#(\w+)\}")
IS_BLOCK = re.compile(r"^\s*\* \w+ block$", re.MULTILINE)
GETTER = re.compile(r"^    get (\w+)\(\):", re.MULTILINE)


@dataclass(frozen=True)
class Argument:
    """An attribute or a nested block of a configuration."""

    required: bool
    is_block: bool
    interface: str


@dataclass(frozen=True)
class Type:
    """A resource or a data source: its arguments by interface, and its readable attributes in camel case."""

    interfaces: dict[str, dict[str, Argument]]
    top: str
    readable: frozenset[str]


@cache
def find(kind: str, name: str) -> Type | None:
    """Returns the type `name` (`aws_vpc`) of the kind `resource` or `data`, or `None` if it is unknown."""
    folder = name.removeprefix("aws_").replace("_", "-")
    file = FOLDER / (f"data-aws-{folder}" if kind == "data" else folder) / "index.d.ts"
    return parse(file) if file.is_file() else None


def parse(file: Path) -> Type:
    text = file.read_text()
    interfaces = {found[1]: arguments(found[2]) for found in INTERFACE.finditer(text)}
    (top,) = [found[1] for found in INTERFACE.finditer(text) if "TerraformMetaArguments" in found[0].splitlines()[0]]
    resource_class = text.split("static readonly tfResourceType", 1)[1]
    return Type(interfaces, top, frozenset(GETTER.findall(resource_class)))


def arguments(body: str) -> dict[str, Argument]:
    found = {}
    for comment, optional, interface in PROPERTY.findall(body):
        spelled = SPELLED.search(comment)
        assert spelled, f"no name in {comment}"
        found[spelled[1]] = Argument(not optional, bool(IS_BLOCK.search(comment)), interface)
    return found


def camel(name: str) -> str:
    """Returns a name in the spelling of the typings: `kmsKeyId` for `kms_key_id`."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
