"""XML that somebody sent, read without what makes XML dangerous: document types, entities, depth and size."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from .errors import InputError

MOST_DEPTH = 32
MOST_ELEMENTS = 100_000
_ENCODINGS = (None, "utf-8", "us-ascii", "ascii", "iso-8859-1", "latin-1")


@dataclass
class Element:
    """An element: its name without namespace (dialects differ in it), attributes, text and children."""

    name: str
    attributes: dict[str, str]
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def find(self, *path: str) -> Element | None:
        """The first descendant along these names."""
        here: Element | None = self
        for name in path:
            here = next((child for child in here.children if child.name == name), None) if here else None
        return here

    def all(self, *path: str) -> list[Element]:
        """All descendants along these names."""
        found = [self]
        for name in path:
            found = [child for parent in found for child in parent.children if child.name == name]
        return found

    def get(self, name: str, default: str = "") -> str:
        """An attribute."""
        return self.attributes.get(name, default)


@dataclass(frozen=True)
class Document:
    """The outermost element, and processing instructions by their target (the last of each)."""

    root: Element
    instructions: dict[str, str]


class _Builder:
    def __init__(self, where: str) -> None:
        self._where = where
        self._open: list[tuple[Element, list[str]]] = []
        self._elements = 0
        self.root: Element | None = None
        self.instructions: dict[str, str] = {}

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if len(self._open) >= MOST_DEPTH or self._elements > MOST_ELEMENTS:
            raise self._refused("is nested too deeply or has too many elements", "That is no wafer map")
        element = Element(_local(name), {_local(key): value for key, value in attributes.items()})
        if self._open:
            self._open[-1][0].children.append(element)
        else:
            self.root = element
        self._open.append((element, []))

    def end(self, name: str) -> None:
        del name
        element, parts = self._open.pop()
        element.text = "".join(parts)

    def data(self, text: str) -> None:
        if self._open:
            self._open[-1][1].append(text)

    def instruction(self, target: str, data: str) -> None:
        self.instructions[target] = data

    def declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        del version, standalone
        if encoding is not None and encoding.lower() not in _ENCODINGS:
            raise self._refused(f"is encoded as {encoding[:32]!r}", "Save it as UTF-8, ASCII or ISO 8859-1")

    def document_type(self, *parts: Any) -> None:
        del parts
        raise self._refused("has a document type (DOCTYPE), which could hold entities", "Remove it: maps need none")

    def entity(self, *parts: Any) -> None:
        del parts
        raise self._refused("declares entities", "Remove them: maps need none")

    def external(self, *parts: Any) -> int:
        del parts
        raise self._refused("refers to another file", "Remove the reference: maps stand alone")

    def _refused(self, what: str, remedy: str) -> InputError:
        return InputError(what, where=self._where, remedy=remedy)


def parse_xml(content: bytes, where: str) -> Document:
    """Read a document. Raises InputError for what is not well-formed, and for everything that a map does not need."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise InputError("is encoded as UTF-16", where=where, remedy="Save it as UTF-8")
    builder = _Builder(where)
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.StartElementHandler, parser.EndElementHandler = builder.start, builder.end
    parser.CharacterDataHandler = builder.data
    parser.ProcessingInstructionHandler = builder.instruction
    parser.XmlDeclHandler = builder.declaration
    parser.StartDoctypeDeclHandler = builder.document_type
    parser.EntityDeclHandler = builder.entity
    parser.UnparsedEntityDeclHandler = builder.entity
    parser.ExternalEntityRefHandler = builder.external
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, UnicodeError, LookupError, ValueError) as error:
        raise InputError(f"is not well-formed XML ({error})", where=where, remedy="Get the file again") from error
    if builder.root is None:
        raise InputError("holds no element", where=where, remedy="Get the file again")
    return Document(builder.root, builder.instructions)


def _local(name: str) -> str:
    return name.rpartition("}")[2]
