"""A page as a strict reader takes it: elements with their attributes, texts, and the data that it carries."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

VOID = {"meta", "link", "input", "br", "wbr"}


@dataclass(kw_only=True)
class Element:
    """children: elements and texts in their order."""

    tag: str
    attributes: dict[str, str | None] = field(default_factory=dict)
    children: list[Element | str] = field(default_factory=list)

    def all(self) -> Iterator[Element]:
        """Itself and all below it."""
        yield self
        for one in self.children:
            if isinstance(one, Element):
                yield from one.all()

    def find(self, tag: str = "", **attributes: str) -> list[Element]:
        """Those with the tag and the attributes; class_ and id name them without Python's words."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [one for one in self.all() if tag in ("", one.tag)
                and all(one.attributes.get(name) == value for name, value in wanted.items())]  # fmt: skip

    def one(self, tag: str = "", **attributes: str) -> Element:
        """The only such element."""
        found = self.find(tag, **attributes)
        assert len(found) == 1, f"{len(found)} of {tag} {attributes}"
        return found[0]

    @property
    def text(self) -> str:
        """All texts, with single spaces."""
        return " ".join(self.raw.split())

    @property
    def raw(self) -> str:
        """All texts as they stand."""
        return "".join(one if isinstance(one, str) else one.raw for one in self.children)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element(tag="")
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = Element(tag=tag, attributes=dict(attrs))
        assert len(made.attributes) == len(attrs), f"an attribute twice: {attrs}"
        self.open[-1].children.append(made)
        if tag not in VOID:
            self.open.append(made)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Element(tag=tag, attributes=dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        ended = self.open.pop()
        assert ended.tag == tag, f"</{tag}> ends <{ended.tag}>"

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data!r}")


def read(page: str) -> Element:
    """The page's elements; AssertionError where one is not closed."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == [reader.root]
    return reader.root


def data(page: Element, id: str) -> Any:
    """The JSON of an element, read strictly."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(page.one("script", id=id).raw, parse_constant=refuse)
