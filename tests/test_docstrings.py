"""The API document is written where the code is."""

import ast
import re
from itertools import pairwise
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "xtalcodec"

SECTION = re.compile(r"^Parameters\n-{10}\n(.*?)(?=^\S[^\n]*\n-{3,}$|\Z)", re.MULTILINE | re.DOTALL)


def last_name(node):
    """Last part of the name of a base class or a decorator: `Enum` of `enum.Enum`, `Base` of `Base[int]`."""
    while isinstance(node, ast.Subscript | ast.Call):
        node = node.value if isinstance(node, ast.Subscript) else node.func
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def methods(cls):
    return {node.name for node in cls.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def inherited(cls, classes):
    """Names of the methods of all base classes that the package defines."""
    names = set()
    waiting, seen = [cls], set()
    while waiting:
        for base in waiting.pop().bases:
            for parent in classes.get(last_name(base), []):
                if id(parent) not in seen:
                    seen.add(id(parent))
                    names |= methods(parent)
                    waiting.append(parent)
    return names


def public_functions(tree, classes, cls=None, where=""):
    """Functions and methods that are to be documented: public, no overload, no override of a method of the package."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node, classes, node, f"{where}{node.name}.")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            overload = any(last_name(d) == "overload" for d in node.decorator_list)
            if not overload and not (cls and node.name in inherited(cls, classes)):
                yield f"{where}{node.name}", node


def parameters(node):
    """Names of the parameters but self and cls."""
    a = node.args
    names = [x.arg for x in [*a.posonlyargs, *a.args, a.vararg, *a.kwonlyargs, a.kwarg] if x]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


def described(node):
    """Names in the Parameters section: each line that is not indented names one or more, its description below it."""
    section = SECTION.search(ast.get_docstring(node) or "")
    lines = section[1].splitlines() if section else []
    heads = [line for line, below in pairwise(lines) if line[:1].strip() and below.startswith("    ")]
    return {name.strip().lstrip("*") for head in heads for name in head.split(",")}


def lacking(sources):
    """Functions of three parameters or more, and which parameters their docstrings leave out."""
    trees = {name: ast.parse(text) for name, text in sources.items()}
    classes = {}
    for tree in trees.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                classes.setdefault(node.name, []).append(node)
    found = []
    for file, tree in trees.items():
        for name, node in public_functions(tree, classes):
            wanted = parameters(node)
            left_out = [p for p in wanted if p not in described(node)]
            if len(wanted) >= 3 and left_out:
                found.append(f"{file}: {name} ({', '.join(left_out)})")
    return found


def test_functions_of_three_parameters_and_more_describe_each():
    paths = [p.relative_to(SOURCE) for p in sorted(SOURCE.rglob("*.py"))]
    sources = {str(p): (SOURCE / p).read_text() for p in paths if p.parts[0] != "cli"}  # verbs have their help texts
    assert len(sources) > 100
    assert lacking(sources) == []


def function(section, name="f", arguments="a, b, c"):
    return f'def {name}({arguments}):\n    """Add.\n\n    Parameters\n    ----------\n{section}    """\n'


def test_what_lacks_is_named():
    whole = "    a, b\n        Numbers.\n    c\n        One more.\n"
    assert lacking({"x.py": function(whole)}) == []
    assert lacking({"x.py": function("    a, b\n        Numbers.\n")}) == ["x.py: f (c)"]
    assert lacking({"x.py": function("    a: a number\n    b: another\n    c: one more\n")}) == ["x.py: f (a, b, c)"]
    assert lacking({"x.py": function("    a, b, c\n")}) == ["x.py: f (a, b, c)"]
    assert lacking({"x.py": function(whole, arguments="a, b, c, *d, **e")}) == ["x.py: f (d, e)"]
    assert lacking({"x.py": 'def f(a, b, c):\n    """Add."""\n'}) == ["x.py: f (a, b, c)"]
    assert lacking({"x.py": "def _f(a, b, c): ...\ndef g(a, b): ...\n@overload\ndef h(a, b, c): ...\n"}) == []


def test_only_overrides_of_the_package_are_exempt():
    base = "class Base:\n    def f(self, a): ...\n"
    derived = "class Derived(base.Base):\n    def f(self, a, b, c): ...\n    def g(self, a, b, c): ...\n"
    assert lacking({"base.py": base, "derived.py": derived}) == ["derived.py: Derived.g (a, b, c)"]
