"""The fenced blocks of a Markdown page, and what their first lines say of them.

    ```sh                    a sample, to be run; so are python and javascript
    ```json output           what the samples since the last such block print
    ```csv authorizers.csv   a file that samples of the page use; so is any language with a name

Other blocks are for reading only.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

RUN = ("sh", "python", "javascript")
FENCE = re.compile(r"^```(\S*) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass
class Sample:
    """One sample, and what it must print: JSON, or lines of text."""

    page: str
    line: int
    language: str
    code: str
    prints_json: bool = False
    output: str | None = None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}-{self.language}"


@dataclass
class Page:
    samples: list[Sample] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)


def read(path: Path) -> Page:
    page, text = Page(), path.read_text(encoding="utf-8")
    for fence in FENCE.finditer(text):
        language, word, body = fence.groups()
        if word == "output":
            for sample in page.samples:
                if sample.output is None:
                    sample.prints_json, sample.output = language == "json", body
        elif word:
            page.files[word] = body
        elif language in RUN:
            line = text.count("\n", 0, fence.start()) + 1
            page.samples.append(Sample(path.name, line, language, body))
    return page
