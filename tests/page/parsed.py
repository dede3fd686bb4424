"""A page as an HTML parser sees it."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """Elements with their attributes, and the text of every element with an `id` and of every table by its caption."""

    def __init__(self, text):
        super().__init__()
        self.elements = []
        self.texts = {"": ""}
        self.tables = {}
        self.open_section = ""
        self.open_table = self.open_cell = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        if tag == "section":
            self.open_section = attributes["id"]
            self.texts[self.open_section] = ""
        elif tag == "table":
            self.open_table = {"caption": "", "rows": []}
        elif tag == "tr":
            self.open_table["rows"].append([])
        elif tag in ("th", "td"):
            self.open_table["rows"][-1].append("")
        self.open_cell = tag

    def handle_endtag(self, tag):
        if tag == "table":
            self.tables[self.open_table["caption"]] = self.open_table["rows"]
            self.open_table = None
        self.open_cell = "td" if self.open_table and tag in ("b", "span") else None

    def handle_data(self, data):
        self.texts[self.open_section] += data
        if self.open_table is not None and self.open_cell == "caption":
            self.open_table["caption"] += " ".join(data.split())
        elif self.open_table is not None and self.open_cell and self.open_table["rows"]:
            row = self.open_table["rows"][-1]
            row[-1] = f"{row[-1]} {data}".strip()

    @property
    def sections(self):
        return list(self.texts)[1:]

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]
