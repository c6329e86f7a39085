"""What a program reaches of its modules, definition by definition, as a linker leaves out what nobody refers to.

Read downwards: `sections` cuts a module into its top-level statements, `link` walks from the first modules to all that
these refer to by name. A statement that defines nothing stays with its module, so that an import does what it always
did; a class stays whole; a word that is the name of a module reaches all of it. A table of a rib, name ->
"module:Member", reaches only the members that the caller wants.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

MEMBER = re.compile(r"([\w.]+):(\w+)")
WHOLE = "*"
# What the standard library looks for in annotations that it does not evaluate.
FIELD_MARKS = frozenset({"ClassVar", "InitVar", "KW_ONLY"})
Name = tuple[str, str]  # a module, and a name in it, or "*"


@dataclass(frozen=True, kw_only=True)
class Section:
    """A top-level statement.

    names: what it defines, none where it must stay. uses: bare names. of: (name, attribute) pairs. inside: what is
    imported in its functions. words: texts that may name a module. members: of a rib's table. imports: bound here.
    """

    node: ast.stmt
    names: frozenset[str] = frozenset()
    uses: frozenset[str] = frozenset()
    of: frozenset[tuple[str, str]] = frozenset()
    inside: frozenset[Name] = frozenset()
    words: frozenset[str] = frozenset()
    members: Mapping[str, Name] = field(default_factory=dict)
    imports: Mapping[str, Name] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Linked:
    """One module of a program. kept: its sections, in their order. names: those bound by imports that are used."""

    source: str
    kept: tuple[Section, ...]
    names: frozenset[str]


def link(
    first: Iterable[str], source_of: Callable[[str], str | None], wanted: Mapping[str, Collection[str]]
) -> dict[str, Linked]:
    """The modules that `first` need, by name. source_of: a module's text, None for one that does not belong to it.

    wanted: "module:TABLE" -> the members of a rib that will be looked up; none of a table that is not named.
    """
    walk = _Walk(source_of, wanted)
    for module in first:
        walk.reach((module, WHOLE))
    while walk.open:
        walk.follow(*walk.open.pop())
    return {module: walk.linked(module) for module in sorted(walk.modules)}


class _Walk:
    """Which sections of which modules are reached; `open`: those whose references were not followed yet."""

    def __init__(self, source_of: Callable[[str], str | None], wanted: Mapping[str, Collection[str]]) -> None:
        self._source_of, self._wanted = source_of, wanted
        self.modules: dict[str, tuple[str, list[Section]]] = {}
        self.open: list[tuple[str, Section]] = []
        self._places: dict[Name, list[int]] = {}
        self._kept: set[tuple[str, int]] = set()
        self._reached: set[Name] = set()

    def linked(self, module: str) -> Linked:
        source, found = self.modules[module]
        kept = tuple(one for index, one in enumerate(found) if (module, index) in self._kept)
        bound = {name for one in kept for name in one.imports}
        whole = (module, WHOLE) in self._reached
        names = frozenset(name for name in bound if whole or (module, name) in self._reached)
        return Linked(source=source, kept=kept, names=names)

    def reach(self, name: Name) -> None:
        """Keep what a name means; where it means a module, what importing that needs."""
        module, word = name
        if name in self._reached or not self._loaded(module):
            return
        self._reached.add(name)
        if word != WHOLE and self._loaded(f"{module}.{word}"):
            return
        found = self.modules[module][1]
        for index in range(len(found)) if word == WHOLE else self._places.get(name, ()):
            self._keep(module, index)
            for target in (target for bound, target in found[index].imports.items() if word in (bound, WHOLE)):
                self._imported(target)

    def _imported(self, target: Name) -> None:
        """A module that an import binds gives only what is asked of it later."""
        if target[1] == WHOLE:
            self._loaded(target[0])
        else:
            self.reach(target)

    def _loaded(self, module: str) -> bool:
        """Whether there is such a module; what importing it does is kept then."""
        if module in self.modules:
            return True
        source = self._source_of(module)
        if source is None:
            return False
        if "." in module:
            self._loaded(module.rpartition(".")[0])
        self.modules[module] = source, sections(source)
        for index, one in enumerate(self.modules[module][1]):
            for name in one.names:
                self._places.setdefault((module, name), []).append(index)
            if not one.names:
                self._keep(module, index)
        return True

    def _keep(self, module: str, index: int) -> None:
        if (module, index) not in self._kept:
            self._kept.add((module, index))
            self.open.append((module, self.modules[module][1][index]))

    def follow(self, module: str, section: Section) -> None:
        """Reach all that a kept section refers to."""
        for name in section.uses:
            self.reach((module, name))
            self._of_module(self._bound(module, name), WHOLE)
        for name, attribute in section.of:
            self.reach((module, name))
            self._of_module(self._bound(module, name), attribute)
        for inside in section.inside:
            self.reach(inside)
            self._of_module(inside, WHOLE)
        for word in section.words:
            self.reach((word, WHOLE))
        for table in section.names:
            for name in set(section.members).intersection(self._wanted.get(f"{module}:{table}", ())):
                self.reach(section.members[name])

    def _bound(self, module: str, name: str) -> Name | None:
        """What an import of a module binds to a name."""
        found = [self.modules[module][1][index].imports for index in self._places.get((module, name), ())]
        return next((imports[name] for imports in found if name in imports), None)

    def _of_module(self, target: Name | None, attribute: str) -> None:
        """What is asked of a name that an import bound, where that is a module."""
        if target is not None:
            module = target[0] if target[1] == WHOLE else ".".join(target)
            if module in self.modules:
                self.reach((module, attribute))


def sections(source: str) -> list[Section]:
    """The top-level statements of a module but its docstring; SyntaxError where it is none."""
    return [_section(node) for node in ast.parse(source).body if not is_text(node)]


def is_text(node: ast.stmt) -> bool:
    """Whether a statement is a text and nothing else, as a docstring is."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _section(node: ast.stmt) -> Section:
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        imports = dict(_bound(node))
        future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        return Section(node=node, names=frozenset() if future else frozenset(imports), imports=imports)
    found = _References()
    found.visit(node)
    members = _members(node)
    return Section(
        node=node, names=frozenset(_defined(node)), uses=frozenset(found.uses), of=frozenset(found.of),
        inside=frozenset(found.inside), words=frozenset(() if members else found.words), members=members,
    )  # fmt: skip


def _bound(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, Name]]:
    """What an import binds, and what that means."""
    for one in node.names:
        if isinstance(node, ast.ImportFrom):
            yield one.asname or one.name, (node.module or "", one.name)
        else:
            yield one.asname or one.name.partition(".")[0], (one.name, WHOLE)


def _defined(node: ast.stmt) -> list[str]:
    """The names that a plain definition or assignment binds; none of any other statement."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    plain = [part for one in targets for part in (one.elts if isinstance(one, ast.Tuple) else [one])]
    return [one.id for one in plain if isinstance(one, ast.Name)] if all(isinstance(x, ast.Name) for x in plain) else []


def _members(node: ast.stmt) -> dict[str, Name]:
    """The members of a rib's table; empty where the statement is none."""
    value = node.value if isinstance(node, (ast.Assign, ast.AnnAssign)) else None
    if not isinstance(value, ast.Dict) or not value.keys:
        return {}
    texts = [one.value if isinstance(one, ast.Constant) else None for one in (*value.keys, *value.values)]
    keys, found = texts[: len(value.keys)], [MEMBER.fullmatch(str(one)) for one in texts[len(value.keys) :]]
    return {str(key): (one[1], one[2]) for key, one in zip(keys, found) if one} if all(found) else {}


class _References(ast.NodeVisitor):
    """What a statement refers to; its annotations are never evaluated and refer to nothing."""

    def __init__(self) -> None:
        self.uses: set[str] = set()
        self.of: set[tuple[str, str]] = set()
        self.inside: set[Name] = set()
        self.words: set[str] = set()

    def visit_Name(self, node: ast.Name) -> None:
        self.uses.add(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.value, ast.Name):
            self.of.add((node.value.id, node.attr))
        else:
            self.visit(node.value)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.words.add(node.value)

    def visit_Import(self, node: ast.Import) -> None:
        self.inside.update((one.name, WHOLE) for one in node.names)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.inside.update((node.module or "", one.name) for one in node.names)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for part in (*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults), *node.body):
            if not is_text(part) if isinstance(part, ast.stmt) else True:
                self.visit(part)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        said = {one.id for one in ast.walk(node.annotation) if isinstance(one, ast.Name)}
        self.uses |= said & FIELD_MARKS
        for part in (node.target, node.value):
            if part is not None:
                self.visit(part)
