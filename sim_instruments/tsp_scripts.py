"""The `script` object of TSP instruments: named scripts in memory (reference manuals, "Fundamentals of scripting")."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .tsp_disk import TspDisk
from .tsp_engine import TspEngine, TspError, is_table, text_argument

MOST_SCRIPTS = 200
"""How many named scripts are kept (assumed; the instrument's memory bounds them)."""
_LOADERS = ("loadscript", "loadandrunscript")


class ScriptLibrary:
    """Named scripts of one instrument.

    Args:
        engine: where they run.
        disk: where scripts are saved as files.
        factory: names of the factory scripts, which are always loaded.
    """

    def __init__(self, engine: TspEngine, disk: TspDisk, factory: Iterable[str] = ()) -> None:
        self._engine = engine
        self._disk = disk
        self._names: dict[str, None] = {}
        self._saved: dict[str, tuple[str, str]] = {}
        self._factory = tuple(factory)
        self._scripts = engine.table()
        self._script: Any = None

    def define(self, name: str, text: str) -> Any:
        """Load a script; it becomes a global of that name. An empty name makes it the anonymous script."""
        if len(self._names) >= MOST_SCRIPTS and name not in self._names:
            raise TspError(-225, "Out of Memory or TSP Memory allocation error")
        made = self._engine.define_script(name, text, self._save)
        if made is None:
            return None
        self._engine.set_global(name or "run", made)
        if name:
            self._names[name] = None
            self._scripts[name] = made
        else:
            self._engine.put(self._script, "anonymous", made)
        return made

    def delete(self, name: object) -> None:
        """script.delete: raises TspError if there is no such script."""
        wanted = text_argument(name)
        if wanted not in self._names and wanted not in self._saved:
            raise TspError(-292, "Referenced name does not exist")
        self._names.pop(wanted, None)
        self._saved.pop(wanted, None)
        self._scripts[wanted] = None
        self._engine.set_global(wanted, None)

    def power_on(self) -> None:
        """Only what was saved is there again; scripts saved as autorun scripts run."""
        for name in [name for name in self._names if name not in self._saved]:
            self.delete(name)
        for name, (text, autorun) in list(self._saved.items()):
            made = self.define(name, text)
            if made is not None and autorun == "yes":
                self._engine.run(f"{name}()")

    def _save(self, script: Any, file: object = None) -> None:
        if not is_table(script):
            raise TspError(-104)
        name, text = script["name"], script["source"]
        if file is not None:
            self._disk.write(text_argument(file), f"loadscript {name}\n{text}\nendscript\n")
        elif not name:
            raise TspError(-282, "Illegal program name")
        else:
            self._saved[str(name)] = (str(text), str(script["autorun"]))

    def _new(self, text: object, name: object = "") -> Any:
        return self.define(text_argument(name), text_argument(text))

    def _new_autorun(self, text: object, name: object = "") -> Any:
        made = self._new(text, name)
        if made is not None:
            made["autorun"] = "yes"
            made["run"]()
        return made

    def _load(self, file: object) -> Any:
        lines = self._disk.read(text_argument(file)).strip().split("\n")
        loader, _, name = lines[0].strip().partition(" ")
        if loader not in _LOADERS or lines[-1].strip() != "endscript":
            raise TspError(2210, "File is not a valid script format")
        return self.define(name.strip(), "\n".join(lines[1:-1]))

    def _restore(self, name: object) -> None:
        wanted = text_argument(name)
        if wanted in self._saved:
            self.define(wanted, self._saved[wanted][0])
        elif wanted not in self._factory:
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
            functions={"catalog": self._catalog(lambda: [*self._saved]), "delete": self.delete},
        )
        factory = engine.object(
            {"scripts": engine.table()}, functions={"catalog": self._catalog(lambda: self._factory)}
        )
        functions: dict[str, Callable[..., Any]] = {
            "new": self._new, "newautorun": self._new_autorun, "delete": self.delete, "load": self._load,
            "restore": self._restore, "run": self._run, "save": lambda script, file=None: self._save(script, file),
        }  # fmt: skip
        self._script = engine.object({"user": user, "factory": factory}, functions=functions)
        return self._script
