"""Reports words that the project does not use: `tests/words.py [FILE...]`, by default in every tracked file.

Checks prose, comments, strings and identifiers (`told_once` and `ToldOnce` are split into words). Ignores code spans,
and in Markdown also quotations and code blocks. Prints a replacement for each word.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

INSTEAD = {
    r"stands?|stood|standing": "is, exists, is stored; represents; replaces",
    r"tells?|told|telling": "report, return, print, describe, detect",
    r"mend(s|ed|ing)?": "fix, suggestion",
    r"so many(?! that)|so (large|big|small|old|long)(?! (that|as))": "at most N, at least N, N bytes",
    r"(come|comes|came|coming) back": "is retried, is redelivered",
    r"(is|are|be|was|were) dead": "is moved to the dead-letter queue; has ended",
    r"odd(?! (number|length|count))|oddly|oddity": "irregular, unusual; the slow path",
    r"(take|takes|took|taken|taking) out": "remove, delete",
    (
        r"(take|takes|took|taking) (a|the|its|each|every|this|that|no) (drop|chunk|message|batch|event|row)s?"
    ): "process, apply, accept",
    r"(drop|chunk|message|batch|event)s? (is|was|are|were|be)( not)? taken": "processed, applied, accepted",
    r"other way (a)?round": "the reverse, conversely",
    r"in a circle": "deadlock, cycle",
    r"read over": "reviewed",
    r"(fewer|less) than (no|none|nothing)\b": "negative",
    r"(is|are|was|were) said (by|of|in|to|where|what)": "is defined, is documented",
    r"none ever|no one ever": "never",
    r"(find|finds|found) by looking": "is detected",
    r"left over|kept out": "remaining; excluded",
    r"(is|are|was|were) given up": "is abandoned, is moved to the dead-letter queue",
}
PATTERN = re.compile("|".join(rf"\b(?P<w{i}>{p})\b" for i, p in enumerate(INSTEAD)).replace(" ", r"\s+"), re.IGNORECASE)
# What is between two words of a phrase that continues on the next line of a comment.
LINE_BREAK = re.compile(r"\n[ \t]*(?:///|//!|//|#|--|\*)?[ \t]*")
KINDS = {".rs", ".py", ".md", ".sh", ".yaml", ".yml", ".tf", ".tfvars", ".hcl", ".sql", ".toml", ".java", ""}
# Data, third-party texts, and the list itself.
NOT_OURS = (
    "tests/golden/",
    "tests/words.py",
    "tests/infra/test_style.py",
    "LICENSE",
    "infra/terraform/.terraform",
    "Cargo.lock",
)


def plain(text: str, markdown: bool) -> str:
    """Returns `text` with code and quotations removed and identifiers split into words. Line breaks remain."""
    if markdown:
        text = re.sub(r"(?ms)^```.*?^```", lambda block: "\n" * block.group().count("\n"), text)
        text = re.sub(r"[“\"][^”\"\n]{1,200}[”\"]", "", text)
    text = re.sub(r"`[^`\n]*`", "``", text)
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text)
    return text.replace("_", " ")


def find(text: str, markdown: bool) -> Iterator[tuple[int, str, str]]:
    """Yields the line, the word and its replacement for each word that the project does not use."""
    text = plain(text, markdown)
    joined = LINE_BREAK.sub(lambda line_break: " " * len(line_break.group()), text)
    for match in PATTERN.finditer(joined):
        which = next(i for i, _ in enumerate(INSTEAD) if match[f"w{i}"])
        word = " ".join(match.group().split())
        yield text.count("\n", 0, match.start()) + 1, word, list(INSTEAD.values())[which]


def main() -> int:
    """Prints `file:line: word: replacement` for each word, and returns 1 if there was one."""
    listed = subprocess.check_output(["git", "ls-files", *sys.argv[1:]], text=True).splitlines()
    count = 0
    for name in listed:
        path = Path(name)
        if path.suffix not in KINDS or name.startswith(NOT_OURS) or not path.is_file():
            continue
        for line, word, replacement in find(path.read_text(encoding="utf-8"), path.suffix == ".md"):
            print(f"{name}:{line}: “{word}”: write {replacement}")
            count += 1
    return int(count > 0)


if __name__ == "__main__":
    sys.exit(main())
