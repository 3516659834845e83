"""Pieces of a web page that is one file: text, tables and pictures as HTML."""

import base64
import html
from collections.abc import Mapping, Sequence

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --faint: #777 }
@media (prefers-color-scheme: dark) { :root { --faint: #aaa } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 0 auto;
  padding: 1rem 1.5rem 4rem }
h1 { margin-bottom: 0 } h2 { margin-top: 2.2rem; border-bottom: 1px solid var(--line) }
img { max-width: 100%; height: auto; border-radius: 4px }
figure { margin: 1rem 0 } figcaption, small { color: var(--faint) }
.row { display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; align-items: flex-start }
.row figure { flex: 1 1 20rem; max-width: 28rem; margin: 0 }
.row section { max-width: 34rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .12rem .7rem; text-align: right; border-bottom: 1px solid var(--soft) }
th:first-child, td:first-child { text-align: left; padding-left: 0 }
thead th { border-bottom: 1px solid var(--line); vertical-align: bottom }
tr.mean td { font-weight: 600; border-top: 1px solid var(--line) }
pre { white-space: pre-wrap; overflow-wrap: anywhere; padding: .7rem; background: var(--soft); border-radius: 4px;
  font-size: 13px } summary { cursor: pointer; margin: .4rem 0 }
"""


def document(title: str, *parts: str) -> str:
    """A whole page; readable in light and in dark rooms."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<h1>{html.escape(title)}</h1>\n" + "\n".join(parts) + "\n</body>\n"
        "</html>\n"
    )


def heading(text: str) -> str:
    return f"<h2>{html.escape(text)}</h2>"


def paragraph(text: str) -> str:
    return f"<p>{html.escape(text)}</p>"


def note(text: str) -> str:
    return f"<p><small>{html.escape(text)}</small></p>"


def code(text: str) -> str:
    return f"<pre>{html.escape(text)}</pre>"


def folded(summary: str, text: str) -> str:
    """Text that opens at a click."""
    return f"<details><summary>{html.escape(summary)}</summary>{code(text)}</details>"


def section(*parts: str) -> str:
    return f"<section>{''.join(parts)}</section>"


def row(*parts: str) -> str:
    """Pieces side by side, as many as the window is wide."""
    return f'<div class="row">{"".join(parts)}</div>'


def table(columns: Sequence[str], rows: Mapping[str, Sequence[str]]) -> str:
    """Rows with their names in front; the one named `mean` stands out."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in ("", *columns))
    body = []
    for name, cells in rows.items():
        shown = "".join(f"<td>{html.escape(cell)}</td>" for cell in (name, *cells))
        body.append(
            f'<tr class="mean">{shown}</tr>' if name == "mean" else f"<tr>{shown}</tr>"
        )
    return (
        f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n"
        + "\n".join(body)
        + "\n</tbody>\n</table>"
    )


def picture(content: bytes, kind: str, name: str, caption: str = "") -> str:
    """A picture inside the page; `kind` is png or jpeg."""
    source = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
    below = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return f'<figure><img src="{source}" alt="{html.escape(name)}">{below}</figure>'
