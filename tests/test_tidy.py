"""House style as a test, so that nobody has to say it in a review."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = ("kernels", "rules", "engine", "bench")
LINE_COUNT_MAX = 400
FUNCTION_LINES_MAX = 60
COLUMN_COUNT_MAX = 100

ROOMS = ("intake", "decode", "clock", "windows", "features", "anomaly", "episodes", "sinks")
ROOM_LINES = ("Enters", "Leaves", "Remembers", "Refuses")

# One door per library: who may import it.
DOORS = {
    "numba": {"kernels.jit"},
    "llvmlite": {"kernels.jit"},
    "bytewax": {"engine.ports", "engine.dataflow"},
    "river": {"engine.anomaly"},
    "yaml": {"rules.yaml_text"},
    "zmq": {"engine.intake", "engine.publisher", "engine.feed", "engine.listen"},
}
# Who may ask what time it is.
CLOCKS = {
    "engine.intake", "engine.sinks", "engine.publisher", "engine.inlet", "engine.feed",
    "engine.listen", "engine.demo", "engine.run", "engine.operations", "engine.logs",
    "engine.warmup", "engine.journal", "engine.shard", "engine.check", "engine.rerun",
    "engine.ports", "engine.machine", "engine.keeper", "engine.trying", "engine.reloading",
}  # fmt: skip
CLOCK_CALLS = {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"}

NEVER_NAMES = re.compile(
    r"(^|_)(packet|payload|blob|bucket|device|severity|alert|alarm|manager|handler|helper|util)"
    r"s?(_|$)",
    re.IGNORECASE,
)
# Memory and records, not arithmetic: what uses them has twins.
UNTWINNED = {"__init__", "jit", "columns", "standing"}
NEVER_TEXT = {
    "todo": re.compile(r"\b(TODO|FIXME|XXX)\b"),
    "fastmath": re.compile(r"fastmath\s*="),
    "bare except": re.compile(r"^\s*except\s*:"),
}


def modules() -> list[Path]:
    return sorted(p for floor in FLOORS for p in (ROOT / floor).rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def complaints(path: Path, text: str) -> Iterator[str]:
    """Everything that is untidy about one file."""
    lines = text.splitlines()
    if len(lines) > LINE_COUNT_MAX:
        yield f"{len(lines)} lines, at most {LINE_COUNT_MAX}"
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMN_COUNT_MAX:
            yield f"line {number}: {len(line)} columns, at most {COLUMN_COUNT_MAX}"
        for what, pattern in NEVER_TEXT.items():
            if pattern.search(line):
                yield f"line {number}: {what}"
    tree = ast.parse(text)
    if ast.get_docstring(tree) is None:
        yield "no docstring opens the file"
    yield from room_complaints(path, ast.get_docstring(tree) or "")
    name = name_of(path)
    for node in ast.walk(tree):
        yield from import_complaints(name, node)
        yield from code_complaints(name, node)


def room_complaints(path: Path, docstring: str) -> Iterator[str]:
    if path.parent.name == "engine" and path.stem in ROOMS:
        starts = {line.split()[0] for line in docstring.splitlines() if line.strip()}
        for word in ROOM_LINES:
            if word not in starts:
                yield f"the room does not say what it {word.lower()}"


def import_complaints(name: str, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        imported = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        imported = [node.module or ""]
        if node.module == "typing" and any(alias.name == "Any" for alias in node.names):
            yield f"line {node.lineno}: Any"
    else:
        return
    for module in imported:
        root = module.split(".")[0]
        if root in DOORS and name not in DOORS[root] and not name.startswith("bench"):
            yield f"line {node.lineno}: {root} enters only through {', '.join(DOORS[root])}"


def code_complaints(name: str, node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        body = node.body[1:] if ast.get_docstring(node) is not None else node.body
        size = node.end_lineno - body[0].lineno + 1 if body and node.end_lineno else 0
        if size > FUNCTION_LINES_MAX:
            yield f"line {node.lineno}: {node.name} has {size} lines, at most {FUNCTION_LINES_MAX}"
        if NEVER_NAMES.search(node.name):
            yield f"line {node.lineno}: the house does not say {node.name}"
        if node.args.kwarg is not None:
            yield f"line {node.lineno}: {node.name} takes **{node.args.kwarg.arg}"
    elif isinstance(node, ast.ClassDef) and NEVER_NAMES.search(node.name):
        yield f"line {node.lineno}: the house does not say {node.name}"
    elif isinstance(node, ast.Name) and NEVER_NAMES.search(node.id):
        yield f"line {node.lineno}: the house does not say {node.id}"
    elif isinstance(node, ast.Call):
        yield from call_complaints(name, node)


def call_complaints(name: str, node: ast.Call) -> Iterator[str]:
    function = node.func
    if isinstance(function, ast.Name) and function.id == "print" and not name.startswith("bench"):
        yield f"line {node.lineno}: print"
    if (
        isinstance(function, ast.Attribute)
        and function.attr in CLOCK_CALLS
        and isinstance(function.value, ast.Name)
        and function.value.id == "time"
        and name not in CLOCKS
        and not name.startswith("bench")
    ):
        yield f"line {node.lineno}: asks the clock"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_the_house_is_tidy(path: Path) -> None:
    """Style that is not checked is an opinion."""
    found = list(complaints(path, path.read_text(encoding="utf-8")))
    assert not found, "\n".join([str(path.relative_to(ROOT)), *found])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x = 1\n", "no docstring"),
        ('"""D."""\n# TODO later\n', "todo"),
        ('"""D."""\nimport numba\n', "numba enters only through"),
        ('"""D."""\ndef send_payload(): ...\n', "the house does not say"),
        ('"""D."""\nfrom typing import Any\n', "Any"),
        ('"""D."""\nimport time\nt = time.time()\n', "asks the clock"),
        ('"""D."""\nprint(1)\n', "print"),
        ('"""D."""\ndef f(**options): ...\n', "takes **options"),
        ('"""D."""\n' + "x = 1\n" * 400, "lines, at most"),
        ('"""D."""\ndef f():\n' + "    x = 1\n" * 61, "f has 61 lines"),
        ('"""D."""\nx = "' + "y" * 100 + '"\n', "columns, at most"),
        ('"""D."""\ntry:\n    pass\nexcept:\n    pass\n', "bare except"),
    ],
)
def test_each_check_can_fail(text: str, complaint: str) -> None:
    """A check that cannot fail guards nothing."""
    found = list(complaints(ROOT / "engine" / "example.py", text))
    assert any(complaint in line for line in found), found


def test_a_room_without_its_four_lines_is_found() -> None:
    found = list(complaints(ROOT / "engine" / "clock.py", '"""Clock: what time it is."""\n'))
    assert len(found) == len(ROOM_LINES)


def test_every_kernel_has_a_twin_and_a_test() -> None:
    """A kernel nobody can check by eye is a kernel nobody should trust."""
    stems = {p.stem for p in (ROOT / "kernels").glob("*.py")} - UNTWINNED
    for stem in sorted(stems):
        assert (ROOT / "tests" / "reference" / f"{stem}.py").exists(), stem
        assert (ROOT / "tests" / "kernels" / f"test_{stem}.py").exists(), stem


def test_no_module_is_named_like_the_standard_library() -> None:
    """The four packages are imported from the root; a `queue.py` there would hide the real one."""
    for path in modules():
        assert path.stem not in sys.stdlib_module_names, path


def test_floors_are_ours() -> None:
    """`tests/kernels` must not hide the real `kernels`."""
    for floor in FLOORS:
        module = __import__(floor)
        assert Path(str(module.__file__)).parent == ROOT / floor


def test_no_path_of_a_machine_and_no_download_address() -> None:
    """The project is the same on every machine."""
    addresses = re.compile(r"(https?|file)://")
    for name in ("requirements.lock", "pyproject.toml"):
        assert not addresses.search((ROOT / name).read_text()), name
