"""The page of a reproduced system as one self-contained report.html: its Markdown page and figure put into one file.

Only what those pages use is understood: headings, paragraphs, tables, lists, figures, bold, italics and code.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from .errors import InputError
from .whole_files import whole_file

PAGES = "reproduce-*.md"


def write_study_report(page: Path) -> Path:
    """Write `report.html` beside a page; returns its path. Raises InputError if page or figure cannot be read."""
    try:
        text = page.read_text(encoding="utf-8")
        body = "\n".join(_blocks(text, page.parent))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read ({error})", where=str(page), remedy="Run the recipe again") from error
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent, encoding="utf-8"), autoescape=True, undefined=StrictUndefined
    )
    title = next((line.lstrip("# ") for line in text.splitlines() if line.startswith("# ")), page.stem)
    html = environment.get_template("report_study.html.j2").render(title=title, body=Markup(body))
    target = page.with_name("report.html")
    with whole_file(target) as unfinished:
        unfinished.write_bytes(html.encode("utf-8"))
    return target


def _blocks(text: str, folder: Path) -> Iterator[str]:
    apart = re.sub(r"\n(- .*)", r"\n\n\1", text.strip(), count=0)  # a list may follow its sentence at once
    for block in re.split(r"\n\s*\n", apart):
        lines = block.splitlines()
        if found := re.fullmatch(r"(#{1,3}) (.*)", block):
            level = len(found[1])
            yield f"<h{level}>{_inline(found[2])}</h{level}>"
        elif found := re.fullmatch(r"!\[(.*)\]\(([\w.-]+)\)", block):
            yield _figure(found[1], folder / found[2])
        elif lines[0].startswith("|"):
            yield _table(lines)
        elif lines[0].startswith("- "):
            yield f'<ul class="plain"><li>{_inline(block.removeprefix("- "))}</li></ul>'
        else:
            yield f"<p>{_inline(block)}</p>"


def _figure(words: str, path: Path) -> str:
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    picture = f'<img alt="{escape(words)}" src="data:image/png;base64,{data}">'
    return f'<figure class="card"><div class="paper">{picture}</div></figure>'


def _table(lines: list[str]) -> str:
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    has_numbers = [mark.endswith(":") for mark in rows[1]]
    head = "".join(
        f'<th scope="col"{_right(n)}>{_inline(cell)}</th>' for cell, n in zip(rows[0], has_numbers, strict=False)
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td{_right(n)}>{_inline(cell)}</td>" for cell, n in zip(row, has_numbers, strict=False))
        + "</tr>"
        for row in rows[2:]
    )
    return f'<div class="card scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _right(is_number: bool) -> str:
    return ' class="num"' if is_number else ""


def _inline(text: str) -> str:
    """Code, bold and italics; a link is only its words, for the page refers to nothing beside itself."""
    found = escape(" ".join(text.split()), quote=False)
    found = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", found)
    found = re.sub(r"`([^`]*)`", r"<code>\1</code>", found)
    found = re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", found)
    return re.sub(r"\*([^*\s][^*]*)\*", r"<i>\1</i>", found)
