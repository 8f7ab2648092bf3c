"""Terraform files as declarations, bodies and references."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import hcl2

Body = dict[str, Any]

REFERENCE = re.compile(
    r"(?<![\w.-])(?P<data>data\.)?(?P<root>var|local|module|aws_\w+)\.(?P<name>[\w-]+)"
    r"(?:\[(?:[^\[\]]|\[[^\]]*\])*\])?(?:\.(?P<attribute>[a-z][\w-]*))?"
)


@dataclass(frozen=True)
class Resource:
    """A `resource` or `data` block."""

    kind: str
    type: str
    name: str
    body: Body
    file: str

    @property
    def address(self) -> str:
        return ("data." if self.kind == "data" else "") + f"{self.type}.{self.name}"


@dataclass
class Module:
    """One folder of `.tf` files."""

    folder: Path
    resources: list[Resource] = field(default_factory=list)
    variables: dict[str, Body] = field(default_factory=dict)
    outputs: dict[str, Body] = field(default_factory=dict)
    calls: dict[str, Body] = field(default_factory=dict)
    locals: Body = field(default_factory=dict)
    texts: list[tuple[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Reference:
    """`var.name`, `local.name`, `module.name.attribute`, `aws_x.name.attribute` or `data.aws_x.name.attribute`."""

    root: str
    name: str
    attribute: str | None
    is_data: bool

    def __str__(self) -> str:
        end = f".{self.attribute}" if self.attribute else ""
        return f"{'data.' if self.is_data else ''}{self.root}.{self.name}{end}"


def read_module(folder: Path) -> Module:
    """Reads all `.tf` files of a folder."""
    module = Module(folder)
    for file in sorted(folder.glob("*.tf")):
        blocks = read(file.read_text())
        module.texts.append((file.name, blocks))
        for kind in ("resource", "data"):
            for block in blocks.get(kind, []):
                for type_, name, body in two_labels(block):
                    module.resources.append(Resource(kind, type_, name, body, file.name))
        for kind, into in (("variable", module.variables), ("output", module.outputs), ("module", module.calls)):
            for block in blocks.get(kind, []):
                into.update(labelled(block))
        for block in blocks.get("locals", []):
            module.locals.update(without_marks(block))
    return module


@cache
def read(text: str) -> Body:
    """Returns the blocks or values of a file. It is cached because parsing is slow and most files are read often."""
    blocks: Body = hcl2.loads(text, serialization_options=hcl2.SerializationOptions(with_comments=False))
    return blocks


def labelled(block: Body) -> Iterator[tuple[str, Body]]:
    return ((unquoted(label), without_marks(body)) for label, body in block.items() if not label.startswith("__"))


def two_labels(block: Body) -> Iterator[tuple[str, str, Body]]:
    return ((type_, name, body) for type_, inner in labelled(block) for name, body in labelled(inner))


def without_marks(body: Body) -> Body:
    """Returns a body without the keys that the parser adds, such as `__is_block__`."""
    return {key: value for key, value in body.items() if not key.startswith("__")}


def unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def blocks_of(body: Body) -> Iterator[tuple[str, Body]]:
    """Yields the nested blocks with their names. For `dynamic` blocks, it yields the content."""
    for key, value in body.items():
        if not is_blocks(value):
            continue
        for block in value:
            if key == "dynamic":
                for label, dynamic in labelled(block):
                    yield from ((label, without_marks(content)) for content in dynamic.get("content", []))
            else:
                yield key, without_marks(block)


def attributes_of(body: Body) -> set[str]:
    """Returns the names that are set with `=`."""
    return {key for key, value in body.items() if not is_blocks(value)}


def is_blocks(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) and has_mark(item) for item in value)


def has_mark(block: Body) -> bool:
    """Returns whether the parser marked a block. In a labelled one (`dynamic "x"`), the mark is below the label."""
    return "__is_block__" in block or any(isinstance(body, dict) and "__is_block__" in body for body in block.values())


def references(value: Any) -> Iterator[Reference]:
    """Yields all references in a value, at any depth."""
    for text in strings(value):
        for found in REFERENCE.finditer(code(text)):
            yield Reference(found["root"], found["name"], found["attribute"], bool(found["data"]))


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from strings(key)
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def code(text: str) -> str:
    """Returns the expressions, without literals, of a parsed text, which is quoted or wholly in `${…}`."""
    parts = []
    in_code = [False]
    at = 0
    while at < len(text):
        two = text[at : at + 2]
        if not in_code[-1] and text[at : at + 3] == "$${":
            at += 3
        elif not in_code[-1] and two == "${":
            in_code.append(True)
            parts.append(" ")
            at += 2
        elif not in_code[-1] and two[:1] == "\\":
            at += 2
        elif text[at] == '"':
            # Opens a literal in code, or closes a literal. The outermost quotes have no effect.
            if in_code[-1]:
                in_code.append(False)
            elif len(in_code) > 1:
                in_code.pop()
            at += 1
        else:
            if in_code[-1] and text[at] == "{":
                in_code.append(True)
            if in_code[-1]:
                parts.append(text[at])
            if in_code[-1] and text[at] == "}":
                in_code.pop()
            at += 1
    return "".join(parts)
