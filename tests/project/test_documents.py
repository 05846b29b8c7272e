"""What the documents say is true: commands run, messages and files exist, and lists are whole."""

import importlib
import importlib.util
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli import main
from shared.cli.group import EXIT_CODES
from tests.support.command_lines import COMMANDS, complaint_about, inputs_and_outputs, shell_lines
from tests.support.repository import ROOT

if not (ROOT / "docs").is_dir():
    pytest.skip("the documents are not part of an installed package", allow_module_level=True)

PARTS = ("shared", "trainer", "bg_filter", "render_worker")
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHELL, LICENSED = "sh", "sh licensed"
MADE = ("demo/",)
"""What `make demo` leaves, which README asks for first."""
HARMLESS = ("git", "eval", "export", "docker", "kubectl", "ssh", "scp", "ray", "pip")
"""Programs that documents may show and that are not ours to check."""
TINY = {
    "filter-backgrounds": "--weights recorded",
    "make-dataset": "--training 24 --evaluation 4 --samples 1 --workers 1",
}


@dataclass(frozen=True)
class Shown:
    """A command in a document."""

    page: str
    line: str
    is_licensed: bool


def shown() -> Iterator[Shown]:
    for page in PAGES:
        for kind, content in FENCE.findall(page.read_text()):
            if kind in (SHELL, LICENSED):
                for line in shell_lines(content):
                    if not line.startswith("#"):
                        yield Shown(page.name, line, kind == LICENSED)
    for line in shell_lines((ROOT / "tools" / "demo.sh").read_text()):
        if line.startswith("run "):
            yield Shown("demo.sh", line.replace("run ", "meshcycle ", 1).replace("$folder", "demo"), False)


EVERYTHING = list(shown())


def without_program(line: str) -> str | None:
    """Return what is wrong with a line that is not a command of ours."""
    words = shlex.split(line, comments=True)
    while words and "=" in words[0]:
        words.pop(0)
    if words[0] == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        return None if set(words[1:]) <= set(targets) else f"{line}: expected a target of the Makefile"
    if words[:2] == ["python", "-m"]:
        files = [word for word in words[3:] if word.startswith("tests/")]
        exists = importlib.util.find_spec(words[2]) is not None and all(
            (ROOT / file).exists() for file in files
        )
        return None if exists else f"{line}: expected a module, and files, that exist"
    if words[0] in HARMLESS:
        return None
    return f"{line}: not a command that this test knows; mark its fence as `{LICENSED}` if it needs such data"


@pytest.mark.parametrize("page", sorted({each.page for each in EVERYTHING}))
def test_every_command_would_be_taken(page: str) -> None:
    complaints = []
    for each in (each for each in EVERYTHING if each.page == page):
        if "meshcycle" in shlex.split(each.line, comments=True):
            complaints.append(complaint_about(each.line))
        elif not each.is_licensed:
            complaints.append(without_program(each.line))
    assert list(filter(None, complaints)) == []


def test_a_command_that_needs_no_licensed_data_finds_what_it_reads() -> None:
    """Inputs lie in the repository or in `demo`, or an earlier command of the page has made them."""
    missing = []
    made: dict[str, list[str]] = {}
    for each in EVERYTHING:
        if each.is_licensed or "meshcycle" not in shlex.split(each.line, comments=True):
            continue
        there = made.setdefault(each.page, list(MADE))
        inputs, outputs = inputs_and_outputs(each.line)
        missing += [
            f"{each.page}: {path} in {each.line}"
            for path in inputs
            if not (ROOT / path).exists() and not f"{path}/".startswith(tuple(there))
        ]
        there += [f"{path}/" for path in outputs]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_command_hides_outside_of_a_shell_fence(page: Path) -> None:
    text = page.read_text()
    others = [content for kind, content in FENCE.findall(text) if kind not in (SHELL, LICENSED)]
    indented = re.findall(r"^ {4}(?:\$ )?(?:meshcycle|make|python) .*$", FENCE.sub("", text), re.MULTILINE)
    assert indented + [each for each in others if re.search(r"^(\$ )?meshcycle ", each, re.MULTILINE)] == []


def test_readme_shows_what_make_demo_runs() -> None:
    def commands(page: str) -> list[list[str]]:
        lines = (each.line for each in EVERYTHING if each.page == page and not each.is_licensed)
        return [sorted(shlex.split(line)) for line in lines if line.startswith("meshcycle")]

    assert commands("README.md") == commands("demo.sh")


def test_readme_lists_every_command() -> None:
    table = [row for row in (ROOT / "README.md").read_text().splitlines() if row.startswith("| `meshcycle ")]
    assert sorted(
        re.findall("`meshcycle ([a-z -]+)`", "\n".join(row.split("|")[1] for row in table))
    ) == sorted(COMMANDS)


@pytest.mark.slow
@pytest.mark.blender
def test_the_demonstration_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it, at a tiny size: made photographs, filter, made hands, two rounds, scores, a gallery."""
    smaller = {"rounds": 2, "epochs_per_round": 1, "warmup_rounds": 1, "batch_size": 4, "samples": 1}
    config = (ROOT / "configs" / "demo.toml").read_text()
    for key, value in smaller.items():
        config, count = re.subn(rf"^{key} = \S+$", f"{key} = {value}", config, flags=re.MULTILINE)
        assert count == 1, key
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "demo.toml").write_text(config.replace("[render]", "[render]\nworkers = 1"))
    shutil.copytree(ROOT / "docs" / "photographs", tmp_path / "docs" / "photographs")
    monkeypatch.chdir(tmp_path)
    for each in EVERYTHING:
        if each.page == "README.md" and not each.is_licensed and each.line.startswith("meshcycle"):
            arguments = shlex.split(f"{each.line} {TINY.get(each.line.split()[1], '')}")[1:]
            result = CliRunner().invoke(main, arguments, catch_exceptions=False)
            assert result.exit_code == 0, f"{each.line}: {result.stderr}"
    wanted = {"evaluation.png", "pred.json", "twins.png", "curves.png", "twins.html"}
    wanted |= {"photographs.png", "photographs.html"}
    assert wanted <= {path.name for path in Path("demo").iterdir()}


def messages() -> list[str]:
    """Return the messages that the page on troubleshooting explains."""
    text = (ROOT / "docs" / "troubleshooting.md").read_text()
    bullets = re.findall(r"^- ((?:`[^`]+`(?:, or )?\s*)+):", text, re.MULTILINE)
    return [message for bullet in bullets for message in re.findall(r"`([^`]+)`", bullet)]


@pytest.mark.parametrize("message", messages())
def test_every_message_that_is_explained_can_come(message: str) -> None:
    source = "\n".join(path.read_text() for part in PARTS for path in sorted((ROOT / part).rglob("*.py")))
    source = re.sub(r'"\s*\n\s*f?"', "", source)  # strings that go on in the next line
    for piece in message.split("…"):
        assert piece.strip() in source


def test_the_page_on_troubleshooting_explains_messages() -> None:
    assert len(messages()) > 15


def linked(page: Path, link: str) -> Path:
    """A link that begins with a slash counts from the root of the repository."""
    return ROOT / link[1:] if link.startswith("/") else page.parent / link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_linked_file_exists(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)", page.read_text())
    assert [link for link in links if not linked(page, link).exists()] == []


def test_readme_leads_to_every_page_and_names_configurations_that_exist() -> None:
    readme = (ROOT / "README.md").read_text()
    pages = [f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")]
    assert [page for page in pages if f"]({page})" not in readme] == []
    named = re.findall(r"`((?:table\d|baseline)-[\w-]+)`", readme)
    assert [name for name in named if not (ROOT / "configs" / f"{name}.toml").exists()] == []
    assert len(named) >= 10


def format_rows() -> list[str]:
    rows = re.findall(r"^\| .*\]\(.*\|$", (ROOT / "docs" / "formats.md").read_text(), re.MULTILINE)
    assert len(rows) > 15
    return rows


def test_every_versioned_format_is_on_the_page_on_formats() -> None:
    text = (ROOT / "docs" / "formats.md").read_text()
    files = [path for part in PARTS for path in (ROOT / part).rglob("*.py")]
    owners = [path for path in files if re.search(r'^FORMAT\b.* = "', path.read_text(), re.MULTILINE)]
    assert len(owners) > 4
    assert [path.name for path in owners if f"](/{path.relative_to(ROOT)})" not in text] == []


@pytest.mark.parametrize("row", format_rows())
def test_a_row_on_the_page_on_formats_links_the_file_that_knows_its_names(row: str) -> None:
    sources = [(ROOT / link).read_text() for link in re.findall(r"\]\(/([^)]+\.py)\)", row)]
    names = re.findall(r"[\w-]+\.jsonl?(?=`)|(?<=\(`)[A-Z]\w+(?=`\))", row)
    assert [name for name in names if not any(name in source for source in sources)] == []
    for dotted in re.findall(r"`(shared(?:\.\w+)+)`", row):
        module, _, name = dotted.rpartition(".")
        assert hasattr(importlib.import_module(module), name) or importlib.util.find_spec(dotted), dotted


def test_the_page_on_formats_lists_every_exit_code() -> None:
    codes = re.findall(r"^  (\d+) ", EXIT_CODES, re.MULTILINE)
    table = (ROOT / "docs" / "formats.md").read_text().split("## Exit codes")[1]
    assert re.findall(r"^\| (\d+) \|", table, re.MULTILINE) == codes


def texts_of_the_repository() -> list[Path]:
    """Return documents, configurations and scripts, and no Python, where ``..`` is often tested for."""
    suffixes = (".md", ".toml", ".sh", ".yaml", ".yml", ".Dockerfile", "Makefile")
    folders = ("docs", "configs", "docker", "tools", *PARTS, "tests")
    files = [*ROOT.iterdir(), *(path for folder in folders for path in (ROOT / folder).rglob("*"))]
    return sorted(path for path in files if path.is_file() and path.name.endswith(suffixes))


@pytest.mark.parametrize("path", texts_of_the_repository(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_names_a_folder_outside_of_the_repository(path: Path) -> None:
    """What is named from above is in the repository, seen from the file; only .ci/run may look beside it."""
    above = re.findall(r"(?<![\w/.])(?:\.\./)+[\w./-]*", path.read_text())
    resolved = {name: (path.parent / name.rstrip(".")).resolve() for name in above}
    assert [name for name, at in resolved.items() if not (at.is_relative_to(ROOT) and at.exists())] == []


def test_pictures_in_documents_are_small() -> None:
    large = [path.name for path in (ROOT / "docs" / "images").iterdir() if path.stat().st_size > 200_000]
    assert large == []
