"""The documents say what is true: blocks run, commands exist, pictures and pages are up to date."""

import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import typer
import yaml

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")])

FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
ILLUSTRATION = re.compile(r"<!-- illustration: .+ -->\n\Z")
COMMAND = re.compile(r"`(xtalcodec [^`]+)`")


def blocks(page, *languages):
    """Fenced blocks of a page in some languages that are not marked as illustrations."""
    text = page.read_text()
    for found in FENCE.finditer(text):
        if found[2] in languages and not ILLUSTRATION.search(text[: found.start()]):
            yield found[3]


def of(page):
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", [p for p in PAGES if any(blocks(p, "python"))], ids=of)
def test_blocks_of_python_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    for block in blocks(page, "python"):
        exec(compile(block, of(page), "exec"), names)  # noqa: S102


@pytest.mark.parametrize("page", PAGES, ids=of)
def test_sessions_are_collected_as_doctests(page):
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    assert "--doctest-glob=*.md" in settings["addopts"]
    if any(">>>" in block for block in blocks(page, "pycon")):
        assert any(page.is_relative_to(ROOT / path) for path in settings["testpaths"])
    assert not [block for block in blocks(page, "python", "py") if ">>>" in block], "a session is a pycon block"
    assert all(block.endswith("\n\n") for block in blocks(page, "pycon")), "doctest ends at an empty line"


def test_readme_is_short():
    assert len((ROOT / "README.md").read_bytes()) <= 8000


def test_links_of_readme_and_contributing_lead_somewhere():
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
            assert target.startswith("https://") or (ROOT / target).exists(), f"{page.name}: {target}"


# Commands


def commands(text):
    """Command lines of xtalcodec in shell blocks and between backquotes, as words, and whether they are whole."""
    for found in FENCE.finditer(text):
        if found[2] == "sh":
            for line in found[3].replace("\\\n", " ").splitlines():
                yield from ((words, True) for words in _calls(line))
    for found in COMMAND.finditer(FENCE.sub("", text)):
        yield from ((words, False) for words in _calls(found[1]))


def _calls(line):
    """Words after `xtalcodec`, of each command of a line."""
    if "xtalcodec" not in line:
        return
    lexer = shlex.shlex(line.replace("…", "PLACEHOLDER"), posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    part = []
    for word in [*lexer, ";"]:
        if not set(word) <= set("|&;<>"):
            part.append(word)
            continue
        if "xtalcodec" in part:
            yield part[part.index("xtalcodec") + 1 :]
        part = []


def check(words, whole=True):
    """Parse a command line as it is parsed when it is run, and run nothing.

    One that is named in a sentence need not be whole.
    """
    from xtalcodec.cli import app

    command, rest = typer.main.get_command(app), list(words)
    while hasattr(command, "commands"):
        assert rest[:1], "no verb"
        assert rest[0] in command.commands, f"no verb {rest[0]!r}"
        command = command.commands[rest.pop(0)]
    try:
        command.make_context(command.name, rest)
    except Exception as error:  # the parser raises classes that typer does not export
        if type(error).__name__ in {"MissingParameter", "NoArgsIsHelpError"} and not whole:
            return
        raise AssertionError(getattr(error, "message", error)) from error


@pytest.mark.parametrize("page", [p for p in [*PAGES, ROOT / "CHANGELOG.md"] if any(commands(p.read_text()))], ids=of)
def test_commands_have_verbs_and_options_that_exist(page):
    wrong = []
    for words, whole in commands(page.read_text()):
        try:
            check(words, whole)
        except AssertionError as error:
            wrong.append(f"xtalcodec {shlex.join(words)}: {error}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("page", PAGES, ids=of)
def test_settings_in_commands_exist(page):
    from xtalcodec.training import recipe

    for words, _ in commands(page.read_text()):
        if words[:1] == ["train"] and words[1:2] and words[1] in recipe.available():
            recipe.load(words[1], [w for w in words[2:] if re.match(r"[a-z_.]+=", w) and "FOLDER" not in w])


def test_a_wrong_option_is_found():
    assert list(commands("```sh\nxtalcodec encode a.cif --out b # it\n```\n`xtalcodec info`")) == [
        (["encode", "a.cif", "--out", "b"], True),
        (["info"], False),
    ]
    check(["encode", "a.cif", "--out", "b"])
    with pytest.raises(AssertionError):
        check(["encode", "a.cif"])
    check(["encode", "a.cif"], whole=False)
    for words in (["decode", "a", "--out", "b", "--put", "c"], ["encod", "a"], ["reconstruct", "a", "--format", "pdf"]):
        with pytest.raises(AssertionError, match=r"no verb|No such option|is not one of"):
            check(words)


# What is made by scripts


@pytest.mark.parametrize("name", ["tutorial.ipynb", "story.ipynb"])
def test_notebooks_have_no_outputs(name):
    """They are run, and an error in one is one of the site, where the site is built: `make docs`."""
    notebook = json.loads((DOCS / name).read_text())
    assert not [cell for cell in notebook["cells"] if cell.get("outputs") or cell.get("execution_count")], (
        "outputs are made when the site is built: clear them"
    )


def test_the_picture_of_the_rooms_is_that_of_the_import_contract(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    import rooms

    drawn = {name for layer in rooms.layers() for name in layer}
    assert rooms.PICTURE.read_text() == rooms.picture(rooms.layers()), "python docs/rooms.py"
    assert drawn <= set(rooms.WHAT)


def test_every_room_has_a_page_in_the_reference(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    import rooms

    pages = {path.stem for path in (DOCS / "reference" / "api").glob("*.md")} - {"index"}
    assert pages == {name for layer in rooms.layers() for name in layer}
    named = (ROOT / "mkdocs.yml").read_text()
    assert all(f"reference/api/{page}.md" in named for page in pages)


def test_the_citation_is_of_this_package():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["license"] == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license"]
    assert citation["repository-code"] in (ROOT / "pyproject.toml").read_text()
