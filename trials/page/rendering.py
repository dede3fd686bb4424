"""Pages from templates: every cell escaped, nothing loaded, and what a report tells an index."""

import base64
import hashlib
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from trials import written

TEMPLATES = Path(__file__).with_name("templates")
PREFIX = "trials:"
"Of the names of a report's own <meta> elements."
FACTS = ("experiment", "question", "conclusion", "extent")
"What a report tells of itself: an index is made of it."


def write_page(path: Path, content: Mapping[str, Any]) -> Path:
    """Fills the template that has the page's name, by atomic replacement."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    style, script = ((TEMPLATES / name).read_text(encoding="utf-8") for name in ("style.css", "sort.js"))
    own = {"style": Markup(style), "script": Markup(script), "policy": policy(style, script), "prefix": PREFIX}
    text = environment.get_template(path.name).render(**own, **content)
    written.replace(path, text.encode())
    return path


def policy(style: str, script: str) -> str:
    """A content security policy that lets the page's own style and script in, and nothing else."""
    digests = (hashlib.sha256(text.encode()).digest() for text in (style, script))
    own = [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
    rest = "img-src data:; base-uri 'none'; form-action 'none'"
    return f"default-src 'none'; style-src {own[0]}; script-src {own[1]}; {rest}"


class Head(HTMLParser):
    """Collects what a report tells of itself."""

    def __init__(self) -> None:
        super().__init__()
        self.facts: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        if tag == "meta" and named.get("name", "").startswith(PREFIX):
            self.facts[named["name"].removeprefix(PREFIX)] = named.get("content", "")


def told(path: Path) -> dict[str, str]:
    """The FACTS that a report tells; none for somebody else's page."""
    head = Head()
    head.feed(path.read_text(encoding="utf-8", errors="replace").partition("</head>")[0])
    return {name: head.facts.get(name, "") for name in FACTS} if head.facts else {}
