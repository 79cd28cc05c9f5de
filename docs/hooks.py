"""What MkDocs does not do by itself: run the tutorial, ask the command line for its reference, set formulas."""

import html
import re
import subprocess
import sys
from pathlib import Path

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from nbconvert import MarkdownExporter
from nbconvert.preprocessors import CellExecutionError, ExecutePreprocessor

HERE = Path(__file__).parent
NOTEBOOK = HERE / "tutorial.ipynb"
DOWNLOAD = "!!! note\n    This page is a notebook: [download it](tutorial.ipynb) and run it yourself.\n\n"
CLI = "reference/cli.md"
FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)

BOLD = re.compile(r'<mi mathvariant="bold">([A-Za-z])</mi>')


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made while the site is built."""
    for path, content in {CLI: command_line(), **tutorial()}.items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_content(content: str, **_: object) -> str:
    """Turn formulas from TeX to MathML, which browsers show without a script."""
    return FORMULA.sub(_formula, content)


def _formula(found: re.Match[str]) -> str:
    display = "block" if found[1] == "div" else "inline"
    return BOLD.sub(_bold, convert(html.unescape(found[2]), display=display))


def _bold(found: re.Match[str]) -> str:
    """Write a bold letter in the sign that Unicode has for it: browsers do not know mathvariant=bold any more."""
    start = 0x1D400 if found[1].isupper() else 0x1D41A
    return f"<mi>{chr(start + ord(found[1].lower()) - ord('a'))}</mi>"


def command_line() -> str:
    """Reference of the command line, as typer writes it."""
    command = [sys.executable, "-m", "typer", "xtalcodec.cli", "utils", "docs", "--name", "xtalcodec"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if run.returncode:
        raise PluginError(f"the reference of the command line: {run.stderr}")
    text = re.sub(r"^# .*$", "# Command line", run.stdout, count=1, flags=re.MULTILINE)
    return re.sub(r"^(Example|Under MPI): (.*)$", r"\1:\n\n```sh\n\2\n```", text, flags=re.MULTILINE)


def tutorial() -> dict[str, str | bytes]:
    """Run the notebook; return its page and its pictures, by their paths."""
    import nbformat

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    try:
        ExecutePreprocessor(timeout=300, kernel_name="python3").preprocess(notebook, {"metadata": {"path": str(HERE)}})
    except CellExecutionError as error:
        raise PluginError(f"{NOTEBOOK.name}: {error}") from error
    for cell in notebook.cells:
        cell["outputs"] = [shown for shown in cell.get("outputs", []) if shown.get("name") != "stderr"]
    names = {"unique_key": "tutorial", "output_files_dir": "tutorial_files"}
    text, resources = MarkdownExporter().from_notebook_node(notebook, names)
    title, _, body = text.lstrip().partition("\n")
    return {"tutorial.md": f"{title}\n\n{DOWNLOAD}{body}", **resources["outputs"]}
