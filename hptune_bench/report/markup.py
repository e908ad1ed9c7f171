"""Text as markup: escaped for Markdown, and as names of files."""

from __future__ import annotations

import re

from hptune_bench.core.text import clean
from hptune_bench.report.blocks import Cell, Table

_MARKDOWN = re.compile(r"([\\`*\[\]~|]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")


def markdown(text: object) -> str:
    """Text for a line or a table cell of GitHub's Markdown: nothing in it is markup, HTML or a formula."""
    line = clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("$", "&#36;")
    line = _MARKDOWN.sub(r"\\\1", line)
    # At the start of a line these would open a heading, a list or a rule.
    return re.sub(r"^(?:(\d+)(?=[.)](?:\s|$))|(?=[#+\-=](?:\s|[#+\-=\s]*$)))", r"\1\\", line)


def code(text: str) -> str:
    """A fenced code block: the fence is longer than any run of backticks inside."""
    longest = max((len(ticks) for ticks in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def slug(text: str) -> str:
    """A file name and an HTML id from any name: ASCII letters, digits, ``-`` and ``_``.

    A name that had to be changed gets a checksum, so that two names never share one file.
    """
    import zlib

    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")[:60]
    return plain if plain == text else f"{plain or 'x'}-{zlib.crc32(text.encode('utf-8', 'replace')):08x}"


def markdown_table(shown: Table) -> str:
    """GitHub's table: escaped cells, best in bold."""
    from tabulate import tabulate

    def cell(entry: Cell, flush: bool) -> str:
        words = markdown(entry.text)
        if flush:
            # Numbers with their unit, and intervals, stay on one line; a line may break between the two.
            words = words.replace(" ", "\u00a0").replace("\u00a0\\[", " \\[")
        return (f"**{words}**" if entry.strong else words) + (f" {entry.mark}" if entry.mark else "")

    return str(
        tabulate(
            [[cell(entry, flush) for entry, flush in zip(row, shown.numeric, strict=True)] for row in shown.rows],
            headers=[markdown(name) for name in shown.columns],
            tablefmt="pipe",
            disable_numparse=True,
            colalign=["right" if flush else "left" for flush in shown.numeric] if shown.rows else None,
        )
    )
