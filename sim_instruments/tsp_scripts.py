"""The `script` object of TSP instruments: named scripts in memory (reference manuals, "Fundamentals of scripting")."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .tsp_engine import TspEngine, TspError, text_argument

MOST_SCRIPTS = 200
"""How many named scripts are kept (assumed; the instrument's memory bounds them)."""


class ScriptLibrary:
    """Named scripts of one instrument.

    Args:
        engine: where they run.
        factory: names of the factory scripts, which are always loaded.
    """

    def __init__(self, engine: TspEngine, factory: Iterable[str] = ()) -> None:
        self._engine = engine
        self._names: dict[str, None] = {}
        self._factory = tuple(factory)
        self._scripts = engine.table()

    def define(self, name: str, text: str) -> Any:
        """Load a script; it becomes a global of that name. An empty name makes it the anonymous script."""
        if len(self._names) >= MOST_SCRIPTS and name not in self._names:
            raise TspError(-225, "Out of Memory or TSP Memory allocation error")
        made = self._engine.define_script(name or "run", text)
        if name and made is not None:
            self._names[name] = None
            self._scripts[name] = made
        return made

    def delete(self, name: object) -> None:
        """script.delete: raises TspError if there is no such script."""
        wanted = text_argument(name)
        if wanted not in self._names:
            raise TspError(-292, "Referenced name does not exist")
        del self._names[wanted]
        self._scripts[wanted] = None
        self._engine.set_global(wanted, None)

    def _new(self, text: object, name: object = "") -> Any:
        return self.define(text_argument(name), text_argument(text))

    def _load(self, _: object) -> None:
        raise TspError(2203, "Cannot open file")

    def _restore(self, name: object) -> None:
        if text_argument(name) not in (*self._names, *self._factory):
            raise TspError(-292, "Referenced name does not exist")

    def _run(self) -> Any:
        anonymous = self._engine.get_global("run")
        return anonymous() if anonymous is not None else None

    def _catalog(self, names: Callable[[], Iterable[str]]) -> Callable[[], Any]:
        def start() -> Any:
            left = iter(list(names()))
            return self._engine.function(lambda *_: next(left, None))

        return start

    def made(self) -> Any:
        """The `script` object."""
        engine = self._engine
        user = engine.object(
            {"scripts": self._scripts},
            functions={"catalog": self._catalog(lambda: self._names), "delete": self.delete},
        )
        factory = engine.object(functions={"catalog": self._catalog(lambda: self._factory)})
        functions: dict[str, Callable[..., Any]] = {
            "new": self._new, "newautorun": self._new, "delete": self.delete, "load": self._load,
            "restore": self._restore, "run": self._run, "save": lambda *_: None,
        }  # fmt: skip
        return engine.object({"user": user, "factory": factory}, functions=functions)
