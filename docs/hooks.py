"""What MkDocs does not do by itself: run the notebooks, ask the command line for its reference, set formulas."""

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
NOTEBOOKS = "tutorial", "story"
DOWNLOAD = "!!! note\n    This page is a notebook: [download it]({}.ipynb) and run it yourself.\n\n"
CLI = "reference/cli.md"
FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)

BOLD = re.compile(r'<mi mathvariant="bold">([A-Za-z])</mi>')


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made while the site is built."""
    pages = [notebook(name) for name in NOTEBOOKS]
    for path, content in {CLI: command_line(), **{p: c for page in pages for p, c in page.items()}}.items():
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


def notebook(name: str) -> dict[str, str | bytes]:
    """Run a notebook; return its page and its pictures, by their paths."""
    import nbformat

    read = nbformat.read(HERE / f"{name}.ipynb", as_version=4)
    try:
        ExecutePreprocessor(timeout=300, kernel_name="python3").preprocess(read, {"metadata": {"path": str(HERE)}})
    except CellExecutionError as error:
        raise PluginError(f"{name}.ipynb: {error}") from error
    for cell in read.cells:
        cell["outputs"] = [shown for shown in cell.get("outputs", []) if shown.get("name") != "stderr"]
    names = {"unique_key": name, "output_files_dir": f"{name}_files"}
    text, resources = MarkdownExporter().from_notebook_node(read, names)
    title, _, body = text.lstrip().partition("\n")
    return {f"{name}.md": f"{title}\n\n{DOWNLOAD.format(name)}{body}", **resources["outputs"]}
