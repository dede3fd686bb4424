"""A figure's SVG as a part of a page."""

import re
from dataclasses import dataclass
from xml.etree import ElementTree

from markupsafe import Markup

from trials.plots import Drawing
from trials.plots.page import HEADER

DROPPED = ("metadata", "title", "style")
"What a page has itself: one title, and the strokes' joins in its style sheet."


@dataclass(frozen=True)
class Picture:
    """A drawing in a page, without the words above it, which the page has itself."""

    title: str
    caption: str
    svg: Markup

    @classmethod
    def of(cls, name: str, drawing: Drawing) -> "Picture":
        title = drawing.title.partition(": ")[2]  # the page has the experiment's name above everything
        title = title[:1].upper() + title[1:]
        return cls(title, drawing.caption, inlined(name, title, drawing))


def inlined(name: str, label: str, drawing: Drawing) -> Markup:
    """A drawing as an SVG element for HTML; `label` is what it is called where it is not seen.

    Identifiers start with the figure's name, since those of several figures would clash. Colours and strokes become
    presentation attributes, which a style sheet may override and a strict content security policy allows.
    """
    root = ElementTree.fromstring(drawing.svg)
    for parent in list(root.iter()):
        for child in list(parent):
            if local(child.tag) in DROPPED:
                parent.remove(child)
            elif child.get("id") in HEADER:
                child[:] = child.findall(".//{*}defs")  # letters that later words use again
    values = [value for element in root.iter() for value in element.attrib.values()]
    used = {found for value in values for found in re.findall(r"^(?:url\()?#([\w.-]+)", value)}
    for definitions in root.findall(".//{*}defs"):
        definitions[:] = [child for child in definitions if child.get("id", "") in used or len(child)]
    for element in root.iter():
        element.tag = local(element.tag)
        element.text = element.tail = None  # matplotlib draws letters as paths
        element.attrib = attributes(element, name, used)
    left, top, width, height = map(float, root.attrib["viewBox"].split())
    below = f"{left:g} {top + drawing.header:g} {width:g} {height - drawing.header:g}"
    root.attrib = {"viewBox": below, "role": "img", "aria-label": label}
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def local(name: str) -> str:
    """A name without its namespace, which HTML has none of."""
    return name.rpartition("}")[2]


def attributes(element: ElementTree.Element, prefix: str, used: set[str]) -> dict[str, str]:
    """The element's attributes as a page needs them, identifiers only where something refers to them."""
    found: dict[str, str] = {}
    for name, value in element.attrib.items():
        if name == "style":
            found |= dict(part.strip().split(": ", 1) for part in value.split(";") if part.strip())
        elif name != "id" or value in used:
            found[local(name)] = " ".join(value.split())
    if "id" in found:
        found["id"] = f"{prefix}-{found['id']}"
    for name in ("href", "clip-path"):
        if name in found:
            found[name] = found[name].replace("#", f"#{prefix}-")
    return found
