"""The Lua engine of TSP instruments: runs chunks in a sandbox, offers instrument functions and attributes to them.

No files, no operating system, no Python objects, bounded instructions and memory. What ends a script or is refused by
an instrument function is reported, never raised.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from time import perf_counter
from types import FunctionType
from typing import Any

from lupa.lua54 import LuaError, LuaRuntime, lua_type

from .scpi_errors import ScpiError
from .tsp_prelude import CALL_STEPS, MOST_BYTES, MOST_SECONDS, MOST_STEPS, PRELUDE, STEP_INSTRUCTIONS

SYNTAX_ERROR, RUNTIME_ERROR, PARAMETER_ERROR = -285, -286, 1115
_MOST_CACHED = 1000
_LONGEST_CACHED = 10_000
"""A thousand longer messages, each a scan of a whole array, would fill the memory of one instrument."""
_WHERE = re.compile(r"TSP:(\d+): (.*)", re.DOTALL)
_WHAT = re.compile(r"attempt to ([\w ]+?)(?: (on))? (an? \w+ value) \((\w+) '([^']*)'\)")
_QUOTED = re.compile(r"'([^']*)'|(?<=near )(<eof>)")
_VARIABLE_PARAMETERS = re.compile(r"\bfunction(?:\s+[\w.:]+)?\s*\([^()]*\.\.\.\s*\)")
_PLAIN_NUMBER = re.compile(r"\s*[-+]?(?:\d{1,40}\.?\d{0,40}|\.\d{1,40})(?:[eE][-+]?\d{1,3})?\s*\Z")
_MOST_WHOLE = 1e6
"""Whole numbers up to this size reach scripts as such, so that `..` shows them without a point, as TSP does."""


class TspError(ScpiError):
    """A function of an instrument was called in a way that it refuses."""


class TspEngine:
    """One instrument's Lua.

    Args:
        report: called with each error; the script goes on where the error is an instrument function's own.
    """

    def __init__(self, report: Callable[[ScpiError], None]) -> None:
        self._report = report
        self._lua = LuaRuntime(
            encoding="latin-1",
            register_eval=False,
            register_builtins=False,
            unpack_returned_tuples=True,
            attribute_filter=_deny,
            max_memory=MOST_BYTES,
        )
        prelude = self._lua.execute(f"return function(...) {PRELUDE} end")
        self._seconds_called = 0.0
        self._interrupt: KeyboardInterrupt | None = None
        made = prelude(
            STEP_INSTRUCTIONS, MOST_STEPS, CALL_STEPS, MOST_SECONDS, lambda: self._seconds_called, self._note
        )
        self._run, self._compile, self._function_of, self._with_attributes, self._script_object, *rest = made
        self.reset_format, self._object, self._view, self._emit, self._number_style, self._proxy, self.put = rest
        self._chunks: dict[str, Any] = {}

    def run(self, text: str) -> list[str]:
        """Run one chunk; returns the printed lines. Errors go to `report`.

        A Ctrl-C or signal that came meanwhile is raised at its end: a script's own `pcall` does not keep it.
        """
        try:
            printed = self._run_chunk(text)
        finally:
            interrupt, self._interrupt = self._interrupt, None
        if interrupt is not None:
            raise interrupt
        return printed

    def _note(self, problem: object) -> None:
        if isinstance(problem, KeyboardInterrupt):
            self._interrupt = problem

    def _run_chunk(self, text: str) -> list[str]:
        chunk = self._chunks.get(text)
        if chunk is None:
            chunk = self._compiled(text)
            if chunk is None:
                return []
            if len(text) <= _LONGEST_CACHED:
                if len(self._chunks) >= _MOST_CACHED:
                    self._chunks.clear()
                self._chunks[text] = chunk
        try:
            result = self._run(chunk)
        except LuaError as error:
            self._report(ScpiError(RUNTIME_ERROR, f"TSP Runtime error: {error}"))
            return []
        if result is None:
            return []
        if not isinstance(result, tuple):
            return _lines(result)
        printed, problem = result
        self._report_problem(problem)
        return _lines(printed)

    def _report_problem(self, problem: Any) -> None:
        if isinstance(problem, BaseException) and not isinstance(problem, LuaError):
            raise problem
        self._report(ScpiError(RUNTIME_ERROR, _message("TSP Runtime error", str(problem))))

    def _compiled(self, text: str) -> Any:
        if "..." in text and "arg" in text:  # Lua 5.0 puts variable arguments into `arg`
            text = _VARIABLE_PARAMETERS.sub(lambda m: m[0] + " local arg = {n = select('#', ...), ...} ", text)
        try:
            chunk = self._compile(text)
        except LuaError as error:
            chunk = None, str(error)
        if not isinstance(chunk, tuple):
            return chunk
        self._report(ScpiError(SYNTAX_ERROR, _message("TSP Syntax error", str(chunk[1]))))
        return None

    def define_script(self, name: str, text: str, save: Callable[..., None]) -> Any:
        """Make a script that can be called or `run()`; None if it has a syntax error. `save` is called by `save()`."""
        chunk = self._compiled(text)
        return None if chunk is None else self._script_object(name, text, chunk, self.function(save))

    def define(
        self,
        name: str,
        values: Mapping[str, Any] | None = None,
        *,
        functions: Mapping[str, Callable[..., Any]] | None = None,
        getters: Mapping[str, Callable[[], Any]] | None = None,
        setters: Mapping[str, Callable[[Any], None]] | None = None,
    ) -> None:
        """Make a global table, for example `channel`, with constants, functions and attributes."""
        self._lua.globals()[name] = self.table(values, functions=functions, getters=getters, setters=setters)

    def table(
        self,
        values: Mapping[str, Any] | None = None,
        *,
        functions: Mapping[str, Callable[..., Any]] | None = None,
        getters: Mapping[str, Callable[[], Any]] | None = None,
        setters: Mapping[str, Callable[[Any], None]] | None = None,
    ) -> Any:
        """A Lua table with constants, functions and attributes."""
        content = {**(values or {}), **{key: self.function(f) for key, f in (functions or {}).items()}}
        made = self._lua.table_from(content)
        if not getters and not setters:
            return made
        get = self._lua.table_from({key: self.function(f) for key, f in (getters or {}).items()})
        put = self._lua.table_from({key: self.function(f) for key, f in (setters or {}).items()})
        return self._with_attributes(made, get, put)

    def object(
        self,
        values: Mapping[Any, Any] | None = None,
        *,
        functions: Mapping[str, Callable[..., Any]] | None = None,
        getters: Mapping[Any, Callable[[], Any]] | None = None,
        setters: Mapping[Any, Callable[[Any], None]] | None = None,
        kind: str = "object",
        item: Callable[[Any], Any] | None = None,
    ) -> Any:
        """A native object as scripts see it: an empty table whose metatable names its Getters, Setters and Objects.

        Numbers index it through `item`, where given.
        """
        content = {**(values or {}), **{key: self.function(f) for key, f in (functions or {}).items()}}
        get = {key: self.function(f) for key, f in (getters or {}).items()}
        put = {key: self.function(f) for key, f in (setters or {}).items()}
        by_number = None if item is None else self.function(item)
        return self._object(*(self._lua.table_from(part) for part in (content, get, put)), kind, by_number)

    def define_object(self, name: str, values: Mapping[Any, Any] | None = None, **members: Any) -> None:
        """Make a global object; `members` as `object` takes them."""
        self._lua.globals()[name] = self.object(values, **members)

    def proxy(self, get: Callable[[Any], Any], put: Callable[[Any, Any], None]) -> Any:
        """A table whose every field is fetched and set by these functions."""
        return self._proxy(self.function(get), self.function(put))

    def view(self, get_item: Callable[[Any], Any], get_size: Callable[[], int], identifier: int) -> Any:
        """A read-only array of a reading buffer; `identifier` is its field `view_id`."""
        return self._view(self.function(get_item), self.function(get_size), identifier)

    def number_style(self) -> tuple[int, int, int]:
        """The format attributes: data, byteorder, asciiprecision."""
        data, byte_order, precision = self._number_style()
        return int(data), int(byte_order), int(precision)

    def emit(self, text: str, *, has_bytes: bool = False) -> None:
        """Print a line from within a function that a script called."""
        self._emit(text, has_bytes)

    def get_global(self, name: str) -> Any:
        """The value of a global."""
        return self._lua.globals()[name]

    def global_names(self) -> frozenset[str]:
        """Names of all globals."""
        return frozenset(str(name) for name in self._lua.globals())

    def forget_globals(self, kept: frozenset[str]) -> None:
        """Remove all globals but these."""
        for name in self.global_names() - kept:
            self._lua.globals()[name] = None

    def list_of(self, items: list[Any]) -> Any:
        """A Lua table with these items at 1, 2, ..."""
        return self._lua.table_from(items)

    def copied(self, table: Any, depth: int = 0) -> Any:
        """A copy of a table with what is in it; raises TspError for functions and for depths beyond 8."""
        if depth > 8:
            raise TspError(-225)
        parts = {}
        for key, value in table.items():
            if is_function(value):
                raise TspError(-104)
            parts[key] = self.copied(value, depth + 1) if is_table(value) else value
        return self._lua.table_from(parts)

    def set_global(self, name: str, value: Any) -> None:
        """Assign a global."""
        self._lua.globals()[name] = value

    def function(self, python_function: Callable[..., Any]) -> Any:
        """A Lua function that calls a Python one; what that refuses is reported and returns nil."""
        fewest, most = _arity(python_function)
        report = self._report

        def guarded(*arguments: Any) -> Any:
            began = perf_counter()  # processor time takes ten times as long to ask for
            try:
                if not fewest <= len(arguments) <= most:
                    raise TspError(-109 if len(arguments) < fewest else -108)
                result = python_function(*arguments)
            except ScpiError as error:
                report(error)
                return None
            finally:
                self._seconds_called += perf_counter() - began
            if type(result) is float and -_MOST_WHOLE <= result <= _MOST_WHOLE and result.is_integer():
                return int(result)
            return result

        return self._function_of(guarded)


def _deny(_: object, name: object, __: bool) -> str:
    raise AttributeError(f"no access to {name}")


def _arity(function: Callable[..., Any]) -> tuple[int, int]:
    if isinstance(function, FunctionType) and not hasattr(function, "__wrapped__"):
        code = function.__code__
        if not code.co_kwonlyargcount and not code.co_flags & inspect.CO_VARKEYWORDS:  # a tenth of the time below
            required = code.co_argcount - len(function.__defaults__ or ())
            return required, 255 if code.co_flags & inspect.CO_VARARGS else code.co_argcount
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # some functions of Python itself have no signature
        return 0, 255
    named = [p for p in parameters if p.kind is not p.VAR_POSITIONAL]
    required = sum(p.default is p.empty for p in named)
    return required, len(named) if len(named) == len(parameters) else 255


def _lines(printed: Any) -> list[str]:
    if printed is None:
        return []
    if not isinstance(printed, str):
        return [str(line) for line in printed.values()]
    return printed.split("\0") if "\0" in printed else [printed]


def _message(kind: str, problem: str) -> str:
    problem = _WHAT.sub(lambda m: f"attempt to {m[1]}{' on' if m[2] else ''} {m[4]} `{m[5]}' ({m[3]})", problem)
    problem = problem.replace("`integer index'", "`?'")
    problem = _QUOTED.sub(lambda m: f"`{m[1] or m[2]}'", problem)
    match = _WHERE.match(problem)
    return f"{kind} at line {match[1]}: {match[2]}" if match else f"{kind}: {problem}"


def text_argument(value: object) -> str:
    """A string argument; raises TspError for anything else."""
    if not isinstance(value, str):
        raise TspError(PARAMETER_ERROR, "Parameter error")
    return value


def number_argument(value: object, minimum: float, maximum: float) -> float:
    """A number within limits, or the text of one as Lua takes it; raises TspError for anything else."""
    if isinstance(value, str) and _PLAIN_NUMBER.match(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TspError(PARAMETER_ERROR, "Parameter error")
    if value != value:  # not a number: it would pass both limits and stop the clock
        raise TspError(PARAMETER_ERROR, "Parameter error")
    if value < minimum:
        raise TspError(1102, "Parameter too small")
    if value > maximum:
        raise TspError(1101, "Parameter too big")
    return float(value)


def is_table(value: object) -> bool:
    """Whether a script's value is a Lua table."""
    return bool(lua_type(value) == "table")


def is_function(value: object) -> bool:
    """Whether a script's value is a Lua function."""
    return bool(lua_type(value) == "function")
