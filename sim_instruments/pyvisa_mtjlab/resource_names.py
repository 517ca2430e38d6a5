"""Resource names: which address a name or alias means, and VISA's expressions that select resources.

Expressions as viFindRsrc takes them (VPP-4.3, 4.4): VISA's own regular expression over the whole name, and in braces
a condition over attributes.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from pyvisa import constants, rname

from .attributes import fixed_attributes

_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_PORT = re.compile(r"COM([0-9]+)\Z", re.IGNORECASE)


class ExpressionError(Exception):
    """A resource expression is malformed."""


def parsed_name(name: str) -> rname.ResourceName | None:
    """The parts of a resource name in any case; None if it is none."""
    for spelling in (name, name.upper()):
        try:
            return rname.parse_resource_name(spelling)
        except rname.InvalidResourceName:
            continue
    return None


def find_address(name: str, addresses: Mapping[str, str]) -> str | None:
    """The canonical address that a name means, compared without case and with numbers in any base; None if none does.

    Args:
        name: a resource name, an alias, or COM<n> for ASRL<n>.
        addresses: canonical addresses of the bench, each with its alias (empty for none).
    """
    if name in addresses:
        return name
    port = _PORT.match(name)
    parsed = parsed_name(f"ASRL{port[1]}::INSTR" if port else name)
    if parsed is not None:
        wanted = _comparable(str(parsed))
        found = next((address for address in addresses if _comparable(address) == wanted), None)
        if found is not None:
            return found
    return next((address for address, alias in addresses.items() if alias and alias.lower() == name.lower()), None)


def _comparable(address: str) -> tuple[str, ...]:
    parts = address.upper().split("::")
    return tuple(str(int(part, 16)) if part.startswith("0X") else part.lstrip("0") or "0" for part in parts)


def select(addresses: list[str], expression: str) -> tuple[str, ...]:
    """The addresses that an expression selects; raises ExpressionError."""
    pattern, brace, condition = expression.partition("{")
    if brace and not condition.endswith("}"):
        raise ExpressionError
    matcher = _matcher(pattern)
    found = [address for address in addresses if matcher.fullmatch(address)]
    if not brace:
        return tuple(found)
    tree = _condition(condition[:-1])
    return tuple(address for address in found if _holds(tree, address))


def _matcher(pattern: str) -> re.Pattern[str]:
    signs = []
    escaped = False
    for sign in pattern:
        if escaped or sign not in "?*+|()[]^-\\":
            signs.append(re.escape(sign))
        else:
            signs.append({"?": ".", "\\": ""}.get(sign, sign))
        escaped = sign == "\\" and not escaped
    try:
        return re.compile("".join(signs), re.IGNORECASE)
    except re.error as error:
        raise ExpressionError from error


def _condition(text: str) -> ast.expr:
    python = re.sub(r"!(?!=)", " not ", text.replace("&&", " and ").replace("||", " or "))
    try:
        return ast.parse(python.strip(), mode="eval").body
    except SyntaxError as error:
        raise ExpressionError from error


def _holds(tree: ast.expr, address: str) -> bool:
    attributes = {
        constants.ResourceAttribute(key).value: value
        for key, value in fixed_attributes(rname.parse_resource_name(address), "").items()
    }
    try:
        return bool(_value(tree, attributes))
    except (KeyError, TypeError):  # a resource without the attribute is not among those looked for
        return False


def _value(node: ast.expr, attributes: Mapping[int, Any]) -> Any:
    match node:
        case ast.BoolOp(op=ast.And()):
            return all(_value(part, attributes) for part in node.values)
        case ast.BoolOp(op=ast.Or()):
            return any(_value(part, attributes) for part in node.values)
        case ast.UnaryOp(op=ast.Not()):
            return not _value(node.operand, attributes)
        case ast.Compare(ops=[comparison]) if type(comparison) in _COMPARISONS:
            left, right = _value(node.left, attributes), _value(node.comparators[0], attributes)
            return _COMPARISONS[type(comparison)](left, right)
        case ast.Constant(value=int() | str()):
            return node.value
        case ast.Name(id=name) if name.startswith("VI_"):
            number = getattr(constants, name, None)
            if number is None:
                raise ExpressionError
            return attributes[number] if name.startswith("VI_ATTR_") else number
    raise ExpressionError
