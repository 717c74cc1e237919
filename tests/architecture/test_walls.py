"""The walls of the house: who may import whom, and what a library does not do to its host."""

import ast
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "python" / "whyrec"
LONGEST = 300

EVERYWHERE = {"errors", "settings", "types"}
MAY_IMPORT = {
    "errors": set[str](),
    "types": set[str](),
    "settings": set[str](),
    "storage": set[str](),
    "data": set[str](),
    "datasets": {"data"},
    "models": {"data", "storage"},
    "ranking": {"data", "models"},
    "explain": {"data", "models"},
    "reasons": {"data", "models", "ranking", "explain"},
    "evaluate": {"data", "models.recommender", "explain.attribution", "explain.explainer"},
    "testing": {"data", "models.recommender", "explain.attribution", "explain.explainer"},
    "feedback": {"data", "explain", "reasons"},
}
"""What each room may import beside itself: rooms, or single modules of one.

Those of `ABOVE` stand above all of them. Protocols and results are modules by themselves, so that
what takes them needs no model class.
"""

ABOVE = [
    "home",
    "choosing",
    "saved",
    "fitting",
    "renewing",
    "weighed",
    "askers",
    "ranking_steps",
    "pipeline",
    "tuning",
    "answering",
    "listening",
    "sdk",
    "demo",
    "cli",
]
"""Each may import all rooms and those before it."""

NATIVE_ROOMS = {"models", "ranking", "explain", "reasons", "evaluate"}
"""Where the work is done that Rust does; no room calls it by way of another."""


@dataclass(frozen=True)
class Module:
    path: Path

    @property
    def name(self) -> str:
        """Return the dotted name, such as whyrec.data.rows."""
        parts = self.path.relative_to(PACKAGE.parent).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def room(self) -> str:
        """Return the folder or file below the package that the module belongs to."""
        return (*self.name.split("."), "")[1]

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text(), str(self.path))

    def imports(self) -> Iterator[tuple[str, int]]:
        """Give each module that is imported, at any depth, with its line."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield alias.name, node.lineno
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.path}:{node.lineno}: imports are absolute"
                yield node.module or "", node.lineno
                for alias in node.names:
                    yield f"{node.module}.{alias.name}", node.lineno

    def uses(self) -> Iterator[tuple[str, int]]:
        """Give each dotted use of a name with its line: imported names in full, others as local."""
        full: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                full |= {alias.asname or alias.name: alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                full |= {
                    alias.asname or alias.name: f"{node.module}.{alias.name}"
                    for alias in node.names
                }
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute | ast.Name):
                dotted = ast.unparse(node)
                first, dot, rest = dotted.partition(".")
                yield full.get(first, f"local.{first}") + dot + rest, node.lineno


MODULES = [Module(path) for path in sorted(PACKAGE.rglob("*.py"))]
ROOMS = sorted({module.room for module in MODULES} - {""})


def test_the_guards_see_the_package() -> None:
    assert len(MODULES) > 30
    assert {"data", "reasons", "storage", "explain"} <= set(ROOMS)
    seen = {name for module in MODULES for name, _ in module.imports()}
    assert {"numpy", "whyrec.errors.ArgumentError", "whyrec._native.fold"} <= seen
    assert "numpy.zeros" in {name for module in MODULES for name, _ in module.uses()}


@pytest.mark.parametrize("room", ROOMS)
def test_imports_point_one_way(room: str) -> None:
    allowed = {room, "_native"} | EVERYWHERE
    if room in ABOVE:
        allowed |= set(MAY_IMPORT) | set(ABOVE[: ABOVE.index(room)])
    else:
        assert room in MAY_IMPORT, f"{room} is a new room: say in MAY_IMPORT what it may import"
        allowed |= MAY_IMPORT[room]
    wrong = [
        f"{module.path.relative_to(ROOT)}:{line} imports {name}"
        for module in MODULES
        if module.room == room
        for name, line in module.imports()
        if name.startswith("whyrec.") and not is_within(name, allowed)
    ]
    assert wrong == []


def is_within(name: str, allowed: set[str]) -> bool:
    """Tell whether a module, or a name in it, is in one of the rooms or modules that are allowed.

    `from whyrec.models import recommender` gives the name of the room too, which says nothing.
    """
    inside = name.removeprefix("whyrec.")
    return any(inside == each or inside.startswith(f"{each}.") for each in allowed) or any(
        each.startswith(f"{inside}.") for each in allowed
    )


def test_what_may_be_imported_has_no_way_back() -> None:
    for room, allowed in MAY_IMPORT.items():
        for below in {each.split(".")[0] for each in allowed}:
            above = {each.split(".")[0] for each in MAY_IMPORT[below]}
            assert room not in above | {below}, f"{room} and {below} import each other"


def test_the_package_itself_gives_public_names_and_nothing_else() -> None:
    (package,) = [module for module in MODULES if module.name == "whyrec"]
    odd = [
        ast.unparse(node)
        for node in package.tree.body
        if not isinstance(node, ast.Import | ast.ImportFrom)
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        and not (
            isinstance(node, ast.Assign)
            and ast.unparse(node.targets[0]).startswith(("__", "_HOMES"))
        )
        and not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
    ]
    assert odd == []


def test_only_rooms_that_do_the_work_import_the_rust_core() -> None:
    importers = {
        module
        for module in MODULES
        for name, _ in module.imports()
        if name.startswith("whyrec._native")
    }
    assert importers
    assert {module.room for module in importers} <= NATIVE_ROOMS
    assert not [module.name for module in importers if module.path.name == "__init__.py"]


PICKLES = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
PICKLING = re.compile(
    r"(torch\.(load|save)|pandas\.read_pickle|numpy\.(save|savez|savez_compressed)"
    r"|.*\.to_pickle|.*\.allow_pickle)"
)


def test_nothing_is_pickled() -> None:
    assert PICKLING.fullmatch("torch.load")
    wrong = [
        f"{module.name}:{line} {name}"
        for module in MODULES
        for found in (module.imports(), module.uses())
        for name, line in found
        if name.split(".")[0] in PICKLES or PICKLING.fullmatch(name)
    ]
    wrong += [
        f"{module.name}:{node.value.lineno} {node.arg}"
        for module in MODULES
        for node in ast.walk(module.tree)
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle"
    ]
    assert wrong == []


VAGUE = {"util", "helper", "common", "base", "manager", "core", "misc"}


def test_no_room_has_a_name_that_says_nothing() -> None:
    names = [part for module in MODULES for part in module.name.split(".")]
    assert len(names) > 60
    assert not {name for name in names if name.strip("_").removesuffix("s") in VAGUE}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_a_module_stays_short(module: Module) -> None:
    n_lines = len(module.path.read_text().splitlines()) - docstring_lines(module.tree)
    assert n_lines <= LONGEST, f"{module.path.relative_to(ROOT)} has {n_lines} lines: split it"


def docstring_lines(tree: ast.Module) -> int:
    """Count the lines of docstrings: what is public may be explained at length."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = [
        node.body[0]
        for node in ast.walk(tree)
        if isinstance(node, documented) and ast.get_docstring(node, clean=False)
    ]
    return sum((each.end_lineno or each.lineno) - each.lineno + 1 for each in found)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_a_module_says_what_it_is_for(module: Module) -> None:
    assert ast.get_docstring(module.tree), f"{module.path.relative_to(ROOT)} has no docstring"


HOST = re.compile(
    r"os\.(environ|environb|getenv|getenvb|putenv|unsetenv|chdir|umask)(\..*)?"
    r"|logging\.(basicConfig|disable|captureWarnings|setLoggerClass|.*Handler)"
    r"|.*\.(addHandler|setLevel)"
    r"|signal\.(signal|setitimer|alarm)"
    r"|atexit\.register|faulthandler\..*|sys\.(excepthook|setrecursionlimit|settrace)"
    r"|warnings\.(filterwarnings|simplefilter|resetwarnings)"
    r"|locale\.setlocale|gc\.(disable|enable|freeze|set_threshold)"
    r"|random\.(seed|random|shuffle|choice|choices|sample|randint)"
    r"|numpy\.random\.(seed|set_state|rand|randn|randint|random|choice|shuffle|permutation)"
    r"|numpy\.(seterr|set_printoptions)"
    r"|torch\.(random\.)?(manual_seed|seed|set_rng_state)"
    r"|torch\.(cuda|mps)\.(manual_seed.*|seed.*)"
    r"|torch\.(set_num_threads|set_num_interop_threads|set_default_dtype|set_default_device"
    r"|set_default_tensor_type|set_printoptions|set_grad_enabled|set_float32_matmul_precision"
    r"|use_deterministic_algorithms|set_flush_denormal)"
    r"|torch\.backends\..*"
)


def test_a_library_configures_nothing_of_its_host() -> None:
    for name in ("os.environ.get", "os.getenv", "torch.manual_seed", "numpy.random.seed"):
        assert HOST.fullmatch(name)
    for name in (
        "local.random.choice",
        "local.generator.manual_seed",
        "numpy.random.default_rng",
        "logging.getLogger",
    ):
        assert not HOST.fullmatch(name)
    wrong = [
        f"{module.name}:{line} {name}"
        for module in MODULES
        for name, line in module.uses()
        if HOST.fullmatch(name)
    ]
    assert wrong == []


def test_the_rust_core_knows_no_python() -> None:
    core = ROOT / "rust" / "core"
    manifest = tomllib.loads((core / "Cargo.toml").read_text())
    assert manifest["dependencies"]
    assert not {"pyo3", "numpy"} & {*manifest["dependencies"], *manifest["dev-dependencies"]}
    sources = list((core / "src").rglob("*.rs"))
    assert len(sources) > 5
    assert [path for path in sources if re.search(r"pyo3|Py_|PyAny", path.read_text())] == []


def test_the_bindings_hold_no_unsafe_code() -> None:
    sources = list((ROOT / "rust" / "bindings" / "src").rglob("*.rs"))
    assert len(sources) > 5
    assert [path for path in sources if re.search(r"\bunsafe\b", path.read_text())] == []
