"""From sections to files: ``report.md`` and ``report.html`` (one offline file) from the same blocks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from hptune_bench.core import text
from hptune_bench.report import markup
from hptune_bench.report.blocks import Part, Table
from hptune_bench.report.style import Style, palette


@dataclass(frozen=True)
class Page:
    """What both templates are given.

    Attributes:
        title, lead: heading of the report and one line below it.
        sections: in order.
        svgs: SVG text of each figure, by name.
        styles: of all tuners, for recolouring figures on dark pages.
    """

    title: str
    lead: str
    sections: Sequence[Part]
    svgs: Mapping[str, str]
    styles: Mapping[str, Style]


def to_markdown(page: Page) -> str:
    """GitHub-ready Markdown with relative links; details are folded."""
    raw = _environment().get_template("report.md.j2").render(page=page)
    return re.sub(r"\n{3,}", "\n\n", raw).strip() + "\n"


def to_html(page: Page) -> str:
    """One offline file: inline SVG and CSS, a few lines of script for sorting, no request to anywhere."""
    return str(_environment().get_template("report.html.j2").render(page=page, dark=palette(dict(page.styles)))) + "\n"


@cache
def _environment() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hptune_bench.report"),
        autoescape=lambda name: bool(name) and ".html" in str(name),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "md": markup.markdown,
        "mdcode": markup.code,
        "mdtable": markup.markdown_table,
        "clean": text.clean,
        "slug": lambda title: markup.slug(re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")),
        "sortable": sort_key,
        "ranged": ranged,
        "inline": lambda svg, name, alt: inline_svg(svg, name, alt),
    }
    environment.tests["rows"] = lambda shown: isinstance(shown, Table) and bool(shown.rows)
    return environment


def sort_key(value: Any) -> str:
    """What the page sorts a cell by: a number if there is one (``inf`` last), else nothing (its words are used)."""
    import math

    if isinstance(value, bool) or value is None:
        return ""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return ""
    return "" if math.isnan(number) else "1e999" if number == math.inf else repr(number)


def ranged(words: str, mark: str = "") -> Any:
    """A cell's words and mark; an interval in brackets at the end goes to a line of its own."""
    import markupsafe

    line = text.clean(words)
    value, bracket, rest = line.partition(" [")
    if not bracket or not rest.endswith("]"):
        value, rest = line, ""
    said = "<abbr title='not distinguishable from the best'>{}</abbr>"
    cell = markupsafe.escape(value) + (markupsafe.Markup(" " + said).format(mark) if mark else "")
    return cell + (markupsafe.Markup(" <span class='range'>[{}</span>").format(rest) if rest else "")


def inline_svg(svg: str, name: str, alt: str) -> Any:
    """A figure for the page: ids made unique, colours as CSS variables (dark mode), a text alternative.

    matplotlib writes colours as ``#rrggbb`` in style attributes and a global ``<style>``, which the page has itself.
    """
    import markupsafe

    body = svg[svg.index("<svg") :]
    body = re.sub(r"<style.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    prefix = f"{name}-"
    body = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}\1"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}\1)", body)
    body = re.sub(r'xlink:href="#([^"]+)"', rf'xlink:href="#{prefix}\1"', body)
    body = re.sub(r"(fill|stroke): #([0-9a-fA-F]{6})", r"\1: var(--c\2, #\2)", body)
    body = re.sub(r'<svg\b[^>]*?viewBox="([^"]+)"[^>]*>', "", body, count=1)
    box = re.search(r'viewBox="([^"]+)"', svg)
    label = markupsafe.escape(text.clean(alt))
    opening = f'<svg role="img" aria-label="{label}" viewBox="{box.group(1) if box else "0 0 600 400"}" '
    opening += 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
    return markupsafe.Markup(opening + body.strip())
