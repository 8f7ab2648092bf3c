"""Checks the shape of the Rust sources: no import cycles, unique type names, short files, one module style.

A file imports another when it names an item that the other defines, in a `use` or by a path; names that a module only
re-exports count for the file that defines them. Tests and examples are not checked for cycles and names.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

MAX_LINES = 500
USE = re.compile(r"^[ \t]*(pub(?:\([^)]*\))?\s+)?use\s+([^;]+);", re.MULTILINE)
PATH = re.compile(r"(?<![\w:])([a-z_]\w*(?:::\w+)+)")
TYPE = re.compile(r"^[ \t]*(?:pub(?:\([^)]*\))? )?(?:struct|enum|union|trait|type) (\w+)", re.MULTILINE)


def expand(tree: str) -> Iterator[tuple[str, str]]:
    """Yields each path of a `use` tree with the name that it binds."""
    tree = tree.strip()
    if "{" not in tree:
        path, _, alias = (part.strip() for part in tree.partition(" as "))
        path = path.removesuffix("::self")
        yield path, alias or path.rsplit("::", 1)[-1]
        return
    prefix, _, inner = tree.partition("{")
    depth, start, inner = 0, 0, inner.rsplit("}", 1)[0] + ","
    for at, char in enumerate(inner):
        depth += (char == "{") - (char == "}")
        if char == "," and depth == 0:
            if inner[start:at].strip():
                yield from expand(prefix + inner[start:at].strip())
            start = at + 1


class Crate:
    """The modules of one crate's `src`, by path: `("rows", "checked")`."""

    def __init__(self, src: Path) -> None:
        self.text: dict[tuple[str, ...], str] = {}
        self.file: dict[tuple[str, ...], Path] = {}
        for file in sorted(src.rglob("*.rs")):
            parts = file.relative_to(src).with_suffix("").parts
            module = parts[:-1] if parts[-1] in ("lib", "main", "mod") else parts
            if "tests" in parts:
                continue
            if parts == ("main",) and (src / "lib.rs").is_file():
                module = parts  # A crate of its own, which imports the library.
            text = re.sub(r"(?ms)^[ \t]*//.*?$", "", file.read_text(encoding="utf-8"))
            self.text[module] = re.split(r"(?m)^#\[cfg\(test\)\]\s*mod tests \{", text)[0]
            self.file[module] = file
        self.exports: dict[tuple[str, ...], dict[str, str]] = {}
        self.uses: dict[tuple[str, ...], list[tuple[str, str]]] = {}
        for module, text in self.text.items():
            self.exports[module], self.uses[module] = {}, []
            for use in USE.finditer(text):
                for path, name in expand(use[2]):
                    if use[1]:
                        self.exports[module][name] = path
                    else:
                        self.uses[module].append((path, name))

    def absolute(self, module: tuple[str, ...], path: str) -> tuple[str, ...] | None:
        """Returns the path from the crate's root, None for another crate's."""
        first, *rest = path.split("::")
        if first == "crate":
            return tuple(rest)
        if first == "self":
            return (*module, *rest)
        if first == "super":
            while first == "super":
                module, (first, *rest) = module[:-1], rest or [""]
            return (*module, first, *rest) if first else module
        return (*module, first, *rest) if (*module, first) in self.text else None

    def defining(self, path: tuple[str, ...], depth: int = 0) -> tuple[str, ...] | None:
        """Returns the module that defines the item at `path`, following re-exports."""
        module = path
        while module and module not in self.text:
            module = module[:-1]
        rest = path[len(module) :]
        exported = self.exports.get(module, {}).get(rest[0]) if rest else None
        if exported and depth < 9:
            target = self.absolute(module, exported)
            return self.defining((*target, *rest[1:]), depth + 1) if target is not None else None
        return module if rest else None

    def imports(self) -> dict[Path, set[Path]]:
        """Returns for each file those that it imports."""
        graph: dict[Path, set[Path]] = {}
        for module, text in self.text.items():
            code = USE.sub("", text)
            modules = {n: p for p, n in self.uses[module] if self.is_module(self.absolute(module, p))}
            paths = [path for path, _ in self.uses[module]]
            # What a module re-exports from its own children and uses itself.
            paths += [p for n, p in self.exports[module].items() if re.search(rf"\b{re.escape(n)}\b", code)]
            for path in PATH.findall(code):
                first, _, rest = path.partition("::")
                paths.append(f"{modules[first]}::{rest}" if first in modules else path)
            found = {self.defining(at) for p in paths if (at := self.absolute(module, p)) is not None}
            graph[self.file[module]] = {self.file[m] for m in found if m is not None and m != module and m in self.file}
        return graph

    def is_module(self, path: tuple[str, ...] | None) -> bool:
        """Returns whether `path` names a module, which is no import by itself."""
        return path is not None and path in self.text


def cycles(graph: dict[Path, set[Path]]) -> list[list[Path]]:
    """Returns the groups of files that import one another (Tarjan's strongly connected components)."""
    index: dict[Path, int] = {}
    low: dict[Path, int] = {}
    stack: list[Path] = []
    groups: list[list[Path]] = []

    def visit(node: Path) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for to in sorted(graph.get(node, ())):
            if to not in index:
                visit(to)
                low[node] = min(low[node], low[to])
            elif to in stack:
                low[node] = min(low[node], index[to])
        if low[node] == index[node]:
            at = stack.index(node)
            group, stack[at:] = stack[at:], []
            if len(group) > 1:
                groups.append(sorted(group))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return groups


def main() -> int:
    """Prints what breaks a rule, returns 1 when something does."""
    faults = []
    tracked = [Path(f) for f in subprocess.check_output(["git", "ls-files", "*.rs"], text=True).splitlines()]
    types: dict[str, list[Path]] = defaultdict(list)
    for src in sorted({Path(*f.parts[: f.parts.index("src") + 1]) for f in tracked if "src" in f.parts}):
        crate = Crate(src)
        graph = crate.imports()
        for group in cycles(graph):
            faults.append(f"{src}: these files import one another:")
            faults += [f"  {f} -> {to}" for f in group for to in sorted(graph[f] & set(group))]
        for module, text in crate.text.items():
            for name in TYPE.findall(text):
                # Associated types implement another crate's trait.
                if not re.search(rf"(?m)^ +type {name} =", text):
                    types[name].append(crate.file[module])
    for name, files in sorted(types.items()):
        if len(files) > 1:
            faults.append(f"type `{name}` is defined {len(files)} times: " + ", ".join(map(str, files)))
    for file in tracked:
        if file.name == "mod.rs" and "src" in file.parts:
            faults.append(f"{file}: a module is the file {file.parent}.rs next to its folder")
        lines = file.read_text(encoding="utf-8").count("\n") if file.is_file() else 0
        if lines >= MAX_LINES:
            faults.append(f"{file} has {lines} lines, {MAX_LINES} or more")
    print("\n".join(faults) or "structure: no import cycles, unique type names, short files, one module style")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
