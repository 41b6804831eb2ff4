"""Nothing imports upwards, heavy packages wait until they are used, and the package itself loads nothing."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import visavis

ROOT = Path(visavis.__file__).parent
LAYERS = (
    ("types", "errors", "registry", "cards", "geometry", "selection", "warps", "_require", "_version"),
    ("io", "runtime", "jobs", "metrics", "calibration"),
    ("nn", "losses", "training"),
    ("detection", "alignment", "recognition", "gallery", "quality", "liveness", "forgery", "analysis", "explain",
     "synthesis", "privacy", "language"),
    ("pipeline", "drawing"),
    ("data", "protocols", "training/recipes", "demonstration", "report"),
    ("systems",),
    ("client", "serve", "cli", "bench", "api", "__init__", "__main__"),
)  # fmt: skip
LAYER = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
CAPABILITIES = LAYERS[3]
HEAVY = {"torch", "openvino", "matplotlib", "pyarrow", "skimage", "dlib", "huggingface_hub", "datasets", "peft",
         "tensorboard", "sqlalchemy", "yaml", "safetensors", "pandas", "transformers", "faiss", "usearch",
         "av"}  # fmt: skip
MODULES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py"))


def _is_of_torch(module):
    """The rooms in torch; a system's own file must list its card without."""
    return module.parts[0] in ("nn", "losses", "training") or (
        module.parts[0] == "systems" and module.name.startswith("_")
    )


def _is_about_torch(module):
    """Modules of the rooms in torch that import it at once."""
    lines = (ROOT / module).read_text(encoding="utf-8").splitlines()
    return _is_of_torch(module) and any(line.startswith(("import torch", "from torch")) for line in lines)


NEEDED = (
    {"recognition/sface_torch.py": {"torch"}}
    | {module.as_posix(): {"torch"} for module in MODULES if _is_about_torch(module)}
    | {module.as_posix(): {"sqlalchemy"} for module in MODULES if module.is_relative_to("gallery/records")}
)
"""Modules that are about a heavy package: imported by their like, else inside functions; peers of the bench besides."""


@cache
def _tree(module):
    return ast.parse((ROOT / module).read_text(encoding="utf-8"))


def _for_types_only(node):
    test = node.test if isinstance(node, ast.If) else None
    return isinstance(test, ast.Name | ast.Attribute) and ast.unparse(test).endswith("TYPE_CHECKING")


def _imports(tree, *, typing, inside=True):
    """The import statements below a node; those for types only, and those inside functions, when asked for."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif _for_types_only(node) and not typing:
            for other in node.orelse:
                yield from _imports(ast.Module([other], []), typing=typing, inside=inside)
        elif inside or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _imports(node, typing=typing, inside=inside)


def _dotted(module):
    parts = ["visavis", *module.with_suffix("").parts]
    return parts[:-1] if parts[-1] == "__init__" else parts


def _exists(parts):
    place = ROOT.joinpath(*parts[1:])
    return place.with_suffix(".py").is_file() or place.is_dir()


def _targets(module, node):
    """The full names of what a statement imports: submodules where there are such, else the module itself."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = node.module.split(".") if node.module else []
    if node.level:
        here = _dotted(module) if module.name == "__init__.py" else _dotted(module)[:-1]
        base = here[: len(here) - node.level + 1] + base
    if base[0] != "visavis":
        return [".".join(base)]
    return [".".join([*base, alias.name] if _exists([*base, alias.name]) else base) for alias in node.names]


def _room(name):
    parts = name.split(".")
    if parts[1:3] == ["training", "recipes"]:
        return "training/recipes"
    return parts[1] if len(parts) > 1 else "__init__"


def _inner(module):
    """The rooms that a module imports from, anywhere in it; types of the package's own index are exempt."""
    for node in _imports(_tree(module), typing=module != Path("__init__.py")):
        for name in _targets(module, node):
            if name.split(".")[0] == "visavis":
                yield _room(name), node.lineno


def _own(module):
    if module.parts[:2] == ("training", "recipes"):
        return "training/recipes"
    return module.parts[0].removesuffix(".py")


def test_every_room_has_its_layer():
    assert {_own(module) for module in MODULES} <= set(LAYER)


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_nothing_imports_upwards(module):
    own = _own(module)
    upwards = [f"{module}:{line} imports {room}" for room, line in _inner(module) if LAYER[room] > LAYER[own]]
    assert not upwards


@pytest.mark.parametrize("module", [module for module in MODULES if _own(module) in CAPABILITIES], ids=str)
def test_capabilities_do_not_import_each_other(module):
    others = set(CAPABILITIES) - {_own(module)}
    assert not [f"{module}:{line} imports {room}" for room, line in _inner(module) if room in others]


def test_only_the_registry_and_its_kin_import_what_their_source_does_not_name():
    """Registry entries, loaders of cards and optional packages are data; a package's index names its own modules."""
    allowed = {Path("registry.py"), Path("cards.py"), Path("_require.py")}
    for module in set(MODULES) - allowed:
        for node in ast.walk(_tree(module)):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
                named = isinstance(node.args[0], ast.Constant) and not node.args[0].value.startswith("visavis")
                assert named or module.name == "__init__.py", f"{module}:{node.lineno}"


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_heavy_packages_are_imported_where_they_are_used(module):
    needed = NEEDED.get(module.as_posix(), set())
    if _own(module) == "bench" and module.stem.endswith("_peer"):
        needed = HEAVY
    found = [
        f"{module}:{node.lineno} imports {name}"
        for node in _imports(_tree(module), typing=False, inside=False)
        for name in _targets(module, node)
        if name.split(".")[0] in HEAVY - needed
    ]
    assert not found


@pytest.mark.parametrize("module", sorted(NEEDED))
def test_modules_about_a_heavy_package_are_imported_inside_functions_only(module):
    name = ".".join(["visavis", *Path(module).with_suffix("").parts])
    at_once = [
        str(other)
        for other in MODULES
        if other.as_posix() not in NEEDED and not _is_of_torch(other)
        for node in _imports(_tree(other), typing=False, inside=False)
        if name in _targets(other, node)
    ]
    assert not at_once


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_is_read_in_one_sitting(module):
    assert len((ROOT / module).read_text(encoding="utf-8").splitlines()) <= 400


def _fresh(code):
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout.split()


def test_importing_the_package_loads_no_other_package():
    loaded = set(_fresh("import visavis, sys; print(*{name.partition('.')[0] for name in sys.modules})"))
    assert not loaded & {"numpy", "cv2", "torch", "onnxruntime", "onnx", "PIL", "openvino", "filelock", "platformdirs"}


def test_types_and_cards_load_numpy_at_most():
    loaded = set(_fresh("import visavis.types, visavis.cards, visavis.registry, sys; visavis.names();"
                        "print(*{name.partition('.')[0] for name in sys.modules})"))  # fmt: skip
    assert not loaded & {"cv2", "torch", "onnxruntime", "onnx", "PIL", "openvino"}


def test_the_default_pipeline_loads_no_optional_package():
    loaded = set(_fresh("import visavis, sys; visavis.Pipeline(); visavis.verify;"
                        "print(*{name.partition('.')[0] for name in sys.modules})"))  # fmt: skip
    assert "onnxruntime" in loaded and not loaded & HEAVY


def test_the_public_names_are_there_and_no_others():
    assert sorted(set(visavis.__all__)) == sorted(visavis.__all__) == sorted(dir(visavis))
    for name in visavis.__all__:
        assert getattr(visavis, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        visavis.no_such_name  # noqa: B018


def test_type_checkers_see_the_names_that_are_loaded_lazily():
    block = next(node for node in _tree(Path("__init__.py")).body if _for_types_only(node))
    seen = {alias.name: node.module for node in block.body for alias in node.names}
    assert seen == visavis._HOME and {*seen, "__version__"} == set(visavis.__all__)
