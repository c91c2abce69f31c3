"""Every small change that can be made to a module and that its tests ought to notice."""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.support.checkout import ROOT

Step = tuple[str, int | None]
"""A field of a node, and the index where the field is a list."""

COMPARISONS: dict[type[ast.cmpop], list[type[ast.cmpop]]] = {
    ast.Lt: [ast.LtE, ast.GtE],
    ast.LtE: [ast.Lt, ast.Gt],
    ast.Gt: [ast.GtE, ast.LtE],
    ast.GtE: [ast.Gt, ast.Lt],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is],
    ast.In: [ast.NotIn],
    ast.NotIn: [ast.In],
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
OPPOSITES = {"min": "max", "max": "min", "any": "all", "all": "any"}

NOT_BEHAVIOUR = {"annotation", "returns", "decorator_list", "type_params"}
"""Fields that are left alone: types, and what decorators are called with."""

TALK = {"log", "warn"}
"""Names of what prints for people; the words there are not tested."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """
    One change.

    @ivar file: relative to the checkout.
    @ivar function: qualified name of the innermost function around it; "" if it takes effect at import.
    @ivar first_line: of that function, decorators included; 0 without one.
    @ivar change: before and after, as source.
    @ivar number: counts the same change in the same function, from 1.
    """

    file: str
    function: str
    first_line: int
    line: int
    change: str
    path: tuple[Step, ...]
    node: ast.AST
    number: int = 1

    @property
    def key(self) -> str:
        """Its name, the same wherever the function moves within the file."""
        again = f" #{self.number}" if self.number > 1 else ""
        return f"{self.file}: {self.function or 'module'}: {self.change}{again}"


def read(path: Path) -> ast.Module:
    """Return the tree of a module."""
    return ast.parse(path.read_text("utf-8"))


def mutants_of(path: Path) -> list[Mutant]:
    """List all changes of a module, in the order of its lines."""
    tree = read(path)
    found = list(_Search(str(path.relative_to(ROOT))).search(tree))
    found.sort(key=lambda mutant: mutant.line)
    counts: Counter[str] = Counter()
    numbered = []
    for mutant in found:
        counts[mutant.key] += 1
        numbered.append(replace(mutant, number=counts[mutant.key]))
    return numbered


def mutated(path: Path, mutant: Mutant) -> ast.Module:
    """Return the tree of a module with the change in it."""
    tree: Any = read(path)
    *way, (field, index) = mutant.path
    parent = tree
    for name, at in way:
        parent = getattr(parent, name) if at is None else getattr(parent, name)[at]
    old = getattr(parent, field) if index is None else getattr(parent, field)[index]
    new = ast.copy_location(copy.deepcopy(mutant.node), old) if hasattr(old, "lineno") else mutant.node
    if index is None:
        setattr(parent, field, new)
    else:
        getattr(parent, field)[index] = new
    return ast.fix_missing_locations(tree)


class _Search:
    """Walks a tree and remembers where it is."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._names: list[str] = []
        self._functions: list[tuple[str, int]] = []

    def search(self, node: ast.AST, path: tuple[Step, ...] = (), *, silent: bool = False) -> Iterator[Mutant]:
        """
        Yield the mutants of a node and of all below it.

        @param silent: whether strings are messages for people.
        """
        silent = silent or isinstance(node, ast.Raise) or _talks(node)
        if path and not _is_left_alone(node):
            for new, before in _changes(node, silent):
                yield self._mutant(node, path, new, before)
        for field, value in ast.iter_fields(node):
            if field in NOT_BEHAVIOUR:
                continue
            inside = field == "body" and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            self._enter(node, inside)
            for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if isinstance(child, ast.AST) and not _is_docstring(node, field, index, child):
                    yield from self.search(child, (*path, (field, index)), silent=silent)
            self._leave(node, inside)

    def _enter(self, node: ast.AST, inside: bool) -> None:
        if isinstance(node, ast.ClassDef):
            self._names.append(node.name)
        elif inside:
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])  # type: ignore[attr-defined]
            self._names.append(node.name)  # type: ignore[attr-defined]
            self._functions.append((".".join(self._names), first))
            self._names.append("<locals>")

    def _leave(self, node: ast.AST, inside: bool) -> None:
        if isinstance(node, ast.ClassDef):
            self._names.pop()
        elif inside:
            del self._names[-2:]
            self._functions.pop()

    def _mutant(self, node: ast.AST, path: tuple[Step, ...], new: ast.AST, before: str) -> Mutant:
        function, first = self._functions[-1] if self._functions else ("", 0)
        change = f"{_shortened(before)} -> {_shortened(_source(new))}"
        line = node.target.lineno if isinstance(node, ast.comprehension) else getattr(node, "lineno", 0)
        return Mutant(self._file, function, first, line, change, path, new)


def _changes(node: ast.AST, silent: bool) -> Iterator[tuple[ast.AST, str]]:
    """Yield what can stand in the place of a node, with the source of the node."""
    before = _source(node)
    for new in _replacements(node, silent):
        if _source(new) != before:
            yield new, before


def _replacements(node: ast.AST, silent: bool) -> Iterator[ast.AST]:
    if isinstance(node, ast.Compare):
        yield from _compared(node)
    elif isinstance(node, ast.BoolOp):
        yield _with(node, op=ast.And() if isinstance(node.op, ast.Or) else ast.Or())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub | ast.Invert):
        yield node.operand
    elif isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in OPERATORS:
        yield _with(node, op=OPERATORS[type(node.op)]())
    elif isinstance(node, ast.Constant):
        yield from _constants(node.value, silent)
    elif isinstance(node, ast.Call):
        yield from _called(node)
    yield from _branches(node)
    yield from _statements(node)


def _branches(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.IfExp):
        yield from (node.body, node.orelse)
    elif isinstance(node, ast.If | ast.While):
        if not isinstance(node.test, ast.Compare | ast.UnaryOp):
            yield _with(node, test=ast.UnaryOp(ast.Not(), node.test))
    elif isinstance(node, ast.comprehension) and node.ifs:
        yield _with(node, ifs=[])


def _compared(node: ast.Compare) -> Iterator[ast.AST]:
    for at, operator in enumerate(node.ops):
        for other in COMPARISONS[type(operator)]:
            yield _with(node, ops=[*node.ops[:at], other(), *node.ops[at + 1 :]])


def _constants(value: Any, silent: bool) -> Iterator[ast.AST]:
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int | float):
        yield ast.Constant(value + 1)
        if value > 1:
            yield ast.Constant(value - 1)
    elif isinstance(value, str) and not silent:
        yield ast.Constant(f"{value}XX")
    elif isinstance(value, bytes) and not silent:
        yield ast.Constant(value + b"XX")


def _called(node: ast.Call) -> Iterator[ast.AST]:
    if isinstance(node.func, ast.Name) and node.func.id in OPPOSITES:
        yield _with(node, func=ast.Name(OPPOSITES[node.func.id], ast.Load()))
    elif _may_be_swapped(node):
        yield _with(node, args=[node.args[1], node.args[0], *node.args[2:]])
    for at in range(len(node.keywords)):
        if node.keywords[at].arg is not None:
            yield _with(node, keywords=node.keywords[:at] + node.keywords[at + 1 :])


def _may_be_swapped(node: ast.Call) -> bool:
    """Return whether a call has two positional arguments that the language does not tell apart by type."""
    if _name(node.func) in ("isinstance", "getattr", "hasattr"):
        return False
    return len(node.args) > 1 and not any(isinstance(each, ast.Starred) for each in node.args[:2])


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Return):
        if node.value is not None and ast.unparse(node.value) != "None":
            yield ast.Return(ast.Constant(None))
    elif isinstance(node, ast.Expr):
        if isinstance(node.value, ast.Call | ast.Await):
            yield ast.Pass()
    elif isinstance(node, ast.AugAssign | ast.Raise | ast.Delete):
        yield ast.Pass()
    elif isinstance(node, ast.Break):
        yield ast.Continue()
    elif isinstance(node, ast.Continue):
        yield ast.Break()


def _is_left_alone(node: ast.AST) -> bool:
    """Return whether a node stands for tools, or its absence cannot be noticed: log lines, type variables, slots."""
    if isinstance(node, ast.Expr):
        return _talks(node.value)
    return _talks(node) or (isinstance(node, ast.Call) and _name(node.func) in ("TypeVar", "NewType", "cast"))


def _talks(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    owner = node.func.value if isinstance(node.func, ast.Attribute) else node.func
    return _name(owner).strip("_") in TALK or _name(node.func) in ("Logger", "TypeVar", "NewType")


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _is_docstring(parent: ast.AST, field: str, index: int | None, child: ast.AST) -> bool:
    """Return whether a statement is a string by itself, which documents what stands before it."""
    return isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant) and isinstance(child.value.value, str)


def _with(node: Any, **fields: Any) -> Any:
    """Return a copy of a node with other fields."""
    return type(node)(**{**dict(ast.iter_fields(node)), **fields})


def _source(node: ast.AST) -> str:
    """Write a node on one line; of a compound statement only its head."""
    if isinstance(node, ast.If | ast.While):
        return f"{type(node).__name__.lower()} {ast.unparse(node.test)}"
    if isinstance(node, ast.comprehension):
        filters = "".join(f" if {ast.unparse(test)}" for test in node.ifs)
        return f"for {ast.unparse(node.target)} in {ast.unparse(node.iter)}{filters}"
    return " ".join(ast.unparse(ast.fix_missing_locations(copy.deepcopy(node))).split())


def _shortened(source: str) -> str:
    return source if len(source) <= 100 else f"{source[:70]} ... {source[-25:]}"
