"""Lists the changes to try in one source file: with cosmic-ray's operators, and with a few more of the same form."""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import parso
import parso.tree
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.operators.operator import Operator
from cosmic_ray.operators.provider import OperatorProvider

if TYPE_CHECKING:
    from collections.abc import Iterator

# A line, from 1, and a column of it, from 0.
Place: TypeAlias = tuple[int, int]

# One change for each place and kind: every binary operator into its opposite, and not into the ten others too.
CHOSEN: Final = (
    *(f"ReplaceComparisonOperator_{name}" for name in ("Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is")),
    *(f"ReplaceComparisonOperator_{name}" for name in ("Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt")),
    *(f"ReplaceBinaryOperator_{name}" for name in ("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "FloorDiv_Mul")),
    *(f"ReplaceBinaryOperator_{name}" for name in ("Mod_Mul", "BitOr_BitAnd", "BitAnd_BitOr")),
    "ReplaceUnaryOperator_Delete_Not",
    "ReplaceUnaryOperator_USub_UAdd",
    "ReplaceTrueWithFalse",
    "ReplaceFalseWithTrue",
    "ReplaceAndWithOr",
    "ReplaceOrWithAnd",
    "ReplaceBreakWithContinue",
    "ReplaceContinueWithBreak",
    "NumberReplacer",
    "ZeroIterationForLoop",
)

STATEMENTS: Final = ("expr_stmt", "atom_expr", "raise_stmt", "del_stmt")


class RemoveStatement(Operator):  # type: ignore[misc]
    """Leaves a statement out: a call, an assignment, a raise."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[Place, Place]]:
        """Yield the position of a statement that can be left out."""
        is_first = node.parent is not None and node.parent.type == "simple_stmt" and node is node.parent.children[0]
        # Without one at the top of a module or class, other code would lack a name.
        if is_first and node.type in STATEMENTS and _is_in_function(node):
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """Put nothing in its place."""
        return _code(node, "pass")

    @classmethod
    def examples(cls) -> tuple[Any, ...]:
        """None: cosmic-ray tests only its own."""
        return ()


class NeverCaught(Operator):  # type: ignore[misc]
    """Lets an exception through that a handler catches."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[Place, Place]]:
        """Yield the position of what a handler catches."""
        if node.type == "except_clause":
            yield node.children[1].start_pos, node.children[1].end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """Let it catch nothing."""
        node.children[1] = _code(node.children[1], "()")
        return node

    @classmethod
    def examples(cls) -> tuple[Any, ...]:
        """None: cosmic-ray tests only its own."""
        return ()


class _Condition(Operator):  # type: ignore[misc]
    value: str

    def mutation_positions(self, node: Any) -> Iterator[tuple[Place, Place]]:
        """Yield the position of each condition of an ``if`` with its ``elif`` and of a conditional expression."""
        for place in self._places(node):
            condition = node.children[place]
            if condition.get_code().strip() != "TYPE_CHECKING":
                yield condition.start_pos, condition.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """Put the value in the condition's place."""
        place = self._places(node)[index]
        node.children[place] = _code(node.children[place], self.value)
        return node

    @staticmethod
    def _places(node: Any) -> list[int]:
        if node.type == "if_stmt":
            return [
                place + 1 for place, child in enumerate(node.children) if child.get_code().strip() in ("if", "elif")
            ]
        return [2] if node.type == "ternary" else []

    @classmethod
    def examples(cls) -> tuple[Any, ...]:
        """None: cosmic-ray tests only its own."""
        return ()


class AlwaysTrue(_Condition):
    """Takes a condition as true."""

    value = "True"


class NeverTrue(_Condition):
    """Takes a condition as false."""

    value = "False"


def _is_in_function(node: Any) -> bool:
    scope = parso.tree.search_ancestor(node, "funcdef", "classdef")
    return scope is not None and scope.type == "funcdef"


def _code(instead_of: Any, text: str) -> Any:
    return parso.parse(instead_of.get_first_leaf().prefix + text)


@dataclass(frozen=True)
class Change:
    """One change of a file.

    :param line: where it is, from 1
    :param function: qualified name of the outermost function around it, or of the class, or empty
    :param body: first and last line of that function's body, if it is in one; what stands outside runs at import
    :param key: names the change: the function, and the line before and after; stays if others lines move
    :param source: the whole file with the change
    """

    line: int
    function: str
    body: tuple[int, int] | None
    key: str
    source: str


def changes(source: str) -> list[Change]:
    """Return every change to try, in the order of the file.

    :param source: the file's text
    """
    provider = OperatorProvider()
    operators = [*(provider[name]() for name in CHOSEN), RemoveStatement(), NeverCaught(), AlwaysTrue(), NeverTrue()]
    tree, scopes, lines = get_ast(source), _Scopes(ast.parse(source)), source.splitlines()
    found: list[tuple[Place, str]] = []
    for operator in operators:
        for node in list(ast_nodes(tree)):
            first = None
            for number, (position, _) in enumerate(operator.mutation_positions(node)):
                # Of the changes of one place the first is enough: a number one greater, and not one less as well.
                if position != first and not scopes.has_no_effect(*position):
                    found.append((position, _changed(tree, node, operator, number)))
                first = first or position
    result: list[Change] = []
    seen: Counter[str] = Counter()
    for (line, _), changed in dict.fromkeys(sorted(found)):
        function, body = scopes.around(line)
        key = f"{function or 'module'}: {_difference(lines, changed.splitlines())}"
        seen[key] += 1
        again = f" ({seen[key]})" if seen[key] > 1 else ""
        result.append(Change(line, function, body, key + again, changed))
    return result


def _changed(tree: Any, node: Any, operator: Operator, number: int) -> str:
    """Return the whole text with one change. Restores the tree afterwards: parsing it for each change takes minutes."""
    parts = [node, *getattr(node, "children", ())]
    before = [
        (part, {name: getattr(part, name) for name in ("value", "children") if hasattr(part, name)}) for part in parts
    ]
    for _, values in before:
        if "children" in values:
            values["children"] = list(values["children"])
    above = node.parent.children if node.parent is not None else []
    place = next((place for place, child in enumerate(above) if child is node), None)
    put = operator.mutate(node, number)
    if place is not None:
        above[place] = put
    text: str = tree.get_code()
    if place is not None:
        above[place] = node
    for part, values in before:
        for name, value in values.items():
            setattr(part, name, value)
    return text


def _difference(before: list[str], after: list[str]) -> str:
    first = next(place for place, (old, new) in enumerate(zip(before, after, strict=False)) if old != new)
    return f"{before[first].strip()} -> {after[first].strip()}"


class _Scopes:
    """Knows the functions of a file, and the places where a change has no effect or no meaning."""

    def __init__(self, tree: ast.Module) -> None:
        self._functions: list[tuple[int, int, int, str]] = []
        self._without_effect: list[tuple[Place, Place]] = []
        self._walk(tree, "")
        for node in ast.walk(tree):
            self._without_effect += _without_effect(node)

    def _walk(self, node: ast.AST, above: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                self._walk(child, f"{above}{child.name}.")
            elif isinstance(child, ast.FunctionDef):
                first, last = child.body[0].lineno, child.end_lineno or child.lineno
                self._functions.append((child.lineno, first, last, above + child.name))

    def around(self, line: int) -> tuple[str, tuple[int, int] | None]:
        """Return the outermost function of a line, and the lines of its body if the line is among those."""
        for start, first, last, name in self._functions:
            if start <= line <= last:
                return name, ((first, last) if line >= first else None)
        return "", None

    def has_no_effect(self, line: int, column: int) -> bool:
        """Say whether a place is only read by people and type checkers."""
        return any(start <= (line, column) < end for start, end in self._without_effect)


def _without_effect(node: ast.AST) -> Iterator[tuple[Place, Place]]:
    # Annotations are not evaluated, ``frozen`` and ``slots`` of a dataclass change no result, and f-strings are texts.
    if isinstance(node, ast.AnnAssign):
        yield _span(node.annotation)
    elif isinstance(node, ast.FunctionDef):
        # Of its head only the defaults count.
        at = (node.lineno, node.col_offset)
        defaults = [*node.args.defaults, *(default for default in node.args.kw_defaults if default is not None)]
        for start, end in sorted(map(_span, defaults)):
            yield at, start
            at = end
        yield at, (node.body[0].lineno, node.body[0].col_offset)
    elif isinstance(node, ast.ClassDef):
        yield from map(_span, node.decorator_list)
        yield from (_span(keyword.value) for keyword in node.keywords)
    elif isinstance(node, ast.JoinedStr):
        yield _span(node)


def _span(node: ast.expr) -> tuple[Place, Place]:
    return (node.lineno, node.col_offset), (node.end_lineno or node.lineno, node.end_col_offset or 0)
