"""The house stands as drawn: packages on disk are the packages listed, and parts import only whom they may."""

import ast
import tomllib
from pathlib import Path

import pytest

import mtjlab

ROOT = Path(__file__).resolve().parent.parent
PARTS = {"mtjlab": "mtjlab", "drivers": "mtjlab.drivers", "sim_instruments": "mtjlab.sim_instruments"}
PARTS |= {"protocols": "mtjlab.protocols"}
TOP_LEVEL = {"sim_instruments/pyvisa_mtjlab": "pyvisa_mtjlab"}
FORBIDDEN = {
    "mtjlab": {"drivers", "sim_instruments", "protocols"},
    "drivers": {"sim_instruments", "protocols"},
    "sim_instruments": {"drivers", "protocols"},
    "protocols": {"drivers", "sim_instruments"},
}
MAY_IMPORT_ALL = {f"mtjlab/{path.name}" for path in (ROOT / "mtjlab").glob("cli*.py")}

in_checkout = pytest.mark.skipif(not (ROOT / "drivers").is_dir(), reason="needs the source tree, not only the wheel")


def _source_files(part: str) -> list[Path]:
    return sorted(p for p in (ROOT / part).rglob("*.py") if "__pycache__" not in p.parts)


def _imports(path: Path) -> list[tuple[int, str]]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(0, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            found.append((node.level, module))
            found += [(node.level, f"{module}.{alias.name}".strip(".")) for alias in node.names]
    return found


@in_checkout
def test_the_packages_on_disk_are_the_packages_listed() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        listed = tomllib.load(file)["tool"]["setuptools"]["packages"]
    on_disk = set()
    for part, package in PARTS.items():
        for init in (ROOT / part).rglob("__init__.py"):
            folder = init.parent.relative_to(ROOT).as_posix()
            inner = init.parent.relative_to(ROOT / part).as_posix().replace("/", ".")
            on_disk.add(TOP_LEVEL.get(folder, package if inner == "." else f"{package}.{inner}"))
    assert on_disk == set(listed)


@in_checkout
def test_the_package_directories_exist_where_they_are_mapped() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        mapped = tomllib.load(file)["tool"]["setuptools"]["package-dir"]
    for package, folder in mapped.items():
        assert (ROOT / folder / "__init__.py").is_file(), package


@in_checkout
@pytest.mark.parametrize("part", PARTS)
def test_no_part_imports_what_it_may_not(part: str) -> None:
    offences = []
    for path in _source_files(part):
        name = path.relative_to(ROOT).as_posix()
        if name in MAY_IMPORT_ALL:
            continue
        for level, module in _imports(path):
            for other in FORBIDDEN[part]:
                if module == f"mtjlab.{other}" or module.startswith(f"mtjlab.{other}."):
                    offences.append(f"{name}: {module}")
                if level == 0 and module.split(".")[0] == other:
                    offences.append(f"{name}: plain {module}")
    assert offences == []


@in_checkout
@pytest.mark.parametrize("part", PARTS)
def test_imports_across_parts_are_absolute_and_inside_a_part_relative(part: str) -> None:
    package = PARTS[part]
    offences = []
    for path in _source_files(part):
        name = path.relative_to(ROOT).as_posix()
        depth = len(path.relative_to(ROOT / part).parts)
        in_top_level = any(name.startswith(folder) for folder in TOP_LEVEL)
        for level, module in _imports(path):
            own = module == package or module.startswith(f"{package}.")
            own_part = own and (part != "mtjlab" or module.split(".")[1:2] not in ([p] for p in PARTS))
            if level == 0 and own_part and not in_top_level and name not in MAY_IMPORT_ALL:
                offences.append(f"{name}: {module} should be relative")
            if level > depth:
                offences.append(f"{name}: climbs out of its part")
    assert offences == []


@in_checkout
def test_only_the_engine_imports_torch() -> None:
    offenders = [
        path.relative_to(ROOT).as_posix()
        for part in PARTS
        for path in _source_files(part)
        if any(module.split(".")[0] == "torch" for _, module in _imports(path))
        and not path.relative_to(ROOT).as_posix().startswith("mtjlab/engine/")
    ]
    assert offenders == []


@in_checkout
def test_every_module_begins_with_a_sentence_about_itself() -> None:
    bare = []
    for part in PARTS:
        for path in _source_files(part):
            docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
            if not docstring or not docstring.splitlines()[0].strip().endswith((".", ":", ";")):
                bare.append(path.relative_to(ROOT).as_posix())
    assert bare == []


@in_checkout
def test_the_version_is_said_once_in_each_place_and_agrees() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        assert tomllib.load(file)["project"]["version"] == mtjlab.__version__
    assert f"## {mtjlab.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@in_checkout
def test_no_package_source_or_hash_is_named() -> None:
    for name in ("constraints.txt", "pyproject.toml", "README.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for word in (
            "-".join(parts) for parts in (("index", "url"), ("find", "links"), ("trusted", "host"), ("-", "hash"))
        ):
            assert word not in text, (name, word)
