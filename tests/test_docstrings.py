"""The API document is written where the code is."""

import ast
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "xtalcodec"

OVERRIDES = {"encode_batch", "find_atoms", "loss", "improve", "view", "sites_of_cell", "choose_images"}
"""Methods that the base class of a contract documents."""


def public_functions(tree, where=""):
    """Functions and methods without a leading underscore, and whether they are of a class that overrides."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node, f"{node.name}.")
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield f"{where}{node.name}", node


def parameters(node):
    """Names of the parameters but self and cls."""
    names = [a.arg for a in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


def test_functions_of_three_parameters_and_more_describe_them():
    lacking = []
    for path in sorted(SOURCE.rglob("*.py")):
        if "cli" in path.parts or "testing" in path.parts:  # the help texts of the verbs are theirs
            continue
        for name, node in public_functions(ast.parse(path.read_text())):
            wanted, text = parameters(node), ast.get_docstring(node) or ""
            base = path.name in ("base.py", "window.py")
            if len(wanted) < 3 or (node.name in OVERRIDES and not base):
                continue
            if "Parameters\n----------\n" not in text:
                lacking.append(f"{path.relative_to(SOURCE)}: {name}")
    assert not lacking
