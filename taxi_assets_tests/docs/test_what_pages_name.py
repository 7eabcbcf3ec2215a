"""What the pages for people name is there: links, commands with their options, targets, modules, settings, files.

Belongs here: names that somebody types or follows. Does not: what a command does (its own tests), pictures.
"""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from taxi_assets.cli.main import main
from taxi_assets.operations.run_month import MonthResult
from taxi_assets.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
HISTORY = ("CHANGELOG.md", "decisions.md")
"""They also name what there was."""
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
FILE = re.compile(r"[\w.-]+(?:/[\w.-]+)+\.(?:py|md|sql|ya?ml|tf|toml|json|html|css|j2|sh)")
MOMENT = re.compile(r"^\d{4}-\d{2}-\d{2}$")
FOLDERS = ("", "taxi_assets", "taxi_assets_tests", "docs", "infra", "glue_jobs")
"""Where a path in a page may begin."""
ELSEWHERE = ("health/heartbeat.json", "DAGSTER_HOME/dagster.yaml", "opt/dagster/workspace.yaml")
"""Of a lake, of a Dagster instance, of the image."""


@dataclass(frozen=True)
class Named:
    """Something in a page: what it says, and whether it stands in a line of its own, as it is typed."""

    page: Path
    text: str
    is_whole: bool

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}: {self.text}"


def named() -> Iterator[Named]:
    """Every piece of code of the pages: indented and fenced lines, and what stands between backticks."""
    for page in PAGES:
        is_fenced = False
        for line in page.read_text().splitlines():
            if line.lstrip().startswith("```"):
                is_fenced = not is_fenced
            elif is_fenced or (line.startswith("    ") and not line.lstrip().startswith(("-", "|"))):
                yield Named(page, line.strip(), is_whole=True)
            else:
                yield from (Named(page, code, is_whole=False) for code in CODE.findall(line))


def commands(program: str) -> list[tuple[Named, list[str]]]:
    """Each call of ``program`` that the pages name, with its words; where several stand in a line, each of them."""
    found = []
    for one in named():
        for words in _calls(one.text):
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                del words[0]
            if words and Path(words[0]).name == program:
                found.append((one, words[1:]))
    return found


def _calls(line: str) -> list[list[str]]:
    """The words of each command in a line of a shell; none if it is no such line."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.wordchars += ",:@%+…"
    calls: list[list[str]] = [[]]
    try:
        for word in lexer:
            if set(word) <= set(lexer.punctuation_chars):
                calls.append([])
            else:
                calls[-1].append(word)
    except ValueError:  # a quote that is not closed: words, and no shell
        return []
    return calls


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_link_leads_somewhere(page: Path) -> None:
    dead = []
    for target in LINK.findall(page.read_text()):
        address, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", address):
            continue
        file = page.parent / address if address else page
        headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE) if anchor and file.is_file() else []
        if not file.exists() or (anchor and anchor not in map(slug, headings)):
            dead.append(target)
    assert dead == []


def test_a_command_and_its_options_exist() -> None:
    calls = commands("taxi-assets")
    assert len(calls) > 100
    wrong = [f"{one}: {why}" for one, words in calls if (why := _refused(words, one.is_whole))]
    assert wrong == []


def _refused(words: list[str], is_whole: bool) -> str:
    """Why the command line would not take the words; empty if it would. Nothing is carried out."""
    command: click.Command = main
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name, *words = words
        if name not in command.commands:
            return f"there is no command {name}"
        command = command.commands[name]
    flags = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    given = {word.partition("=")[0] for word in words if word.startswith("-") and len(word) > 1}
    if unknown := given - flags - {"--help", "-h", "--version"}:
        return f"{command.name} has no {', '.join(sorted(unknown))}"
    missing = [one.opts[0] for one in command.params if one.required and isinstance(one, click.Option)]
    if is_whole and not isinstance(command, click.Group) and "--help" not in words and set(missing) - given:
        return f"{command.name} needs {', '.join(missing)}"
    return ""


def test_a_target_of_make_exists() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    calls = [(one, [word for word in words if "=" not in word]) for one, words in commands("make")]
    assert len(calls) > 30
    assert [str(one) for one, words in calls if not set(_targets(words)) <= targets] == []


def _targets(words: list[str]) -> list[str]:
    return [word for word in words if re.fullmatch(r"[a-z][a-z0-9-]*", word)]


def test_a_module_that_is_run_exists() -> None:
    modules = {
        (one.page.name, words[at + 1]) for one, words in _of_python() for at, word in enumerate(words) if word == "-m"
    }
    assert len(modules) > 5
    assert [module for module in sorted(modules) if importlib.util.find_spec(module[1]) is None] == []


def _of_python() -> list[tuple[Named, list[str]]]:
    return [call for program in ("python", "python3") for call in commands(program)]


def test_a_file_that_is_named_is_there() -> None:
    files = {(one, file) for one in named() if one.page.name not in HISTORY for file in FILE.findall(one.text)}
    assert len(files) > 50
    gone = {f"{one.page.name}: {file}" for one, file in files if not _is_there(file)}
    assert sorted(gone) == []


def _is_there(file: str) -> bool:
    return file in ELSEWHERE or any((ROOT / folder / file).exists() for folder in FOLDERS)


def test_a_setting_that_is_named_is_read_by_something() -> None:
    settings = {str(one.validation_alias or f"TAXI_{name.upper()}") for name, one in Settings.model_fields.items()}
    others = "".join(file.read_text() for file in (ROOT / "Makefile", *_code()))  # of tests, and of containers
    named_here = {
        (page.name, name) for page in PAGES for name in re.findall(r"\bTAXI_[A-Z_]+[A-Z]\b", page.read_text())
    }
    assert len({name for _, name in named_here}) > 30
    assert sorted(one for one in named_here if one[1] not in settings and one[1] not in others) == []


def _code() -> Iterator[Path]:
    for folder in ("taxi_assets_tests", "infra"):
        for ending in ("py", "tf", "yaml"):
            yield from (ROOT / folder).rglob(f"*.{ending}")


def test_the_tour_of_the_readme_works_on_a_published_lake(published: tuple[Path, MonthResult], tmp_path: Path) -> None:
    calls = [words for one, words in commands("taxi-assets") if one.page.name == "README.md" and one.is_whole]
    tour = [words for words in calls if words[0] in ("status", "query", "export", "catalog", "tables")]
    assert len(tour) > 7
    for words in tour:
        at = words.index("--lake") if "--lake" in words else len(words)
        words = [MOMENT.sub(f"{datetime.now(timezone.utc):%Y-%m-%d}", word) for word in words]  # the lake is new
        result = CliRunner().invoke(main, [*words[:at], *words[at + 2 :], *_here(words, published[0], tmp_path)])
        assert result.exit_code == 0, (words, result.output)


def _here(words: list[str], lake: Path, folder: Path) -> list[str]:
    """The options by which a command reads the test's lake and writes into its folder."""
    output = ["--output", str(folder / "exported")] if words[0] == "export" else []
    return [*output, *([] if words[0] == "tables" else ["--lake", str(lake)])]
