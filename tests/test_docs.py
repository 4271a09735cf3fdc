"""The documentation names what the package has, its links resolve, its snippets run."""

from __future__ import annotations

import re
import runpy
import shutil
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import typer
import yaml
from pydantic import BaseModel, TypeAdapter

from segcube.cli.app import app
from segcube.core import Code
from segcube.release.check.findings import FindingCode
from segcube.spec.challenges import Challenge, LesionWise, Matched, Overlap, load_challenge
from segcube.spec.challenges.schema import Paint
from segcube.spec.submission import Branch, Submission, branch, rules, schema

from .training.run.small import write_data

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
FORMAT = (DOCS / "submission-format.md").read_text()
MODELS: dict[str, type[BaseModel]] = {
    "Submission": Submission,
    "Stage": schema.Stage,
    "Branch": Branch,
    "Intensity": branch.Intensity,
    "Normalize": branch.Normalize,
    "Resampling": branch.Resampling,
    "Spline": branch.Spline,
    "Outputs": branch.Outputs,
    "Window": branch.Window,
    "Member": branch.Member,
    "Follows": schema.Follows,
    "Dilate": schema.DilationRadius,
    "Paint": Paint,
    "threshold": rules.Threshold,
    "keep_components": rules.KeepComponents,
    "unless_holds": rules.Holds,
    "nest": rules.Nest,
    "fill": rules.Fill,
    "retry": rules.Retry,
    "write": rules.Write,
    "largest_component": rules.LargestComponent,
    "replace_small": rules.ReplaceSmall,
}


def section(text: str, heading: str) -> str:
    """The text below a heading, up to the next one."""
    return re.split(rf"^#+ {heading}$", text, maxsplit=1, flags=re.M)[1].split("\n#")[0]


def rows(text: str) -> dict[str, list[str]]:
    """The rows of the tables whose first cell is code, by that code."""
    cells = [line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    return {row[0].strip(" `"): [cell.strip() for cell in row[1:]] for row in cells}


def literals(annotation: Any) -> set[str]:
    """The texts of all Literals in a type."""
    if get_origin(annotation) is Literal:
        return {value for value in get_args(annotation) if isinstance(value, str)}
    return {text for part in get_args(annotation) for text in literals(part)}


def test_each_reason_code_has_a_heading():
    headings = re.findall(r"^### (\w+)$", (DOCS / "reason-codes.md").read_text(), re.M)
    assert len(headings) == len(set(headings))
    assert set(headings) == {code.value for code in (*Code, *FindingCode)}


@pytest.mark.parametrize("heading", MODELS)
def test_each_key_of_a_submission_has_its_type_and_default(heading):
    documented, fields = rows(section(FORMAT, heading)), MODELS[heading].model_fields
    assert list(documented) == [field.alias or name for name, field in fields.items()]
    for (kind, default, _), field in zip(documented.values(), fields.values(), strict=True):
        assert (default == "required") == field.is_required()
        if not field.is_required():
            value = yaml.safe_load(default.strip("`"))
            assert TypeAdapter(field.annotation).validate_python(value) == field.default
        texts = literals(field.annotation) - set("xyz")
        assert texts <= set(re.findall(r"[\w]+", kind))


def test_every_model_of_a_submission_has_a_section():
    def models(annotation: Any) -> set[type[BaseModel]]:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            fields = annotation.model_fields.values()
            return {annotation}.union(*(models(field.annotation) for field in fields))
        return set().union(*(models(part) for part in get_args(annotation)))

    assert models(Submission) == set(MODELS.values())


def test_each_key_of_a_challenge_is_documented():
    documented = re.findall(
        r"`(\w+)`",
        " ".join(
            line.split("|")[1]
            for line in section(FORMAT, "A challenge file").splitlines()
            if line.startswith("|")
        ),
    )
    assert documented == list(Challenge.model_fields)


def test_the_example_of_a_submission_is_valid():
    example = re.findall(r"```yaml\n(.*?)```", FORMAT, re.S)[0]
    Submission.model_validate(yaml.safe_load(example.replace("sha256: ...", f"sha256: {'a' * 64}")))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_named_files_exist(page):
    text = page.read_text()
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", text):
        if target.startswith("https://"):
            continue
        file = page.parent / target if target else page
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(), re.M)
            assert anchor in {slug(heading) for heading in headings}, anchor
    package = ROOT / "project" / "segcube"
    for name in re.findall(r"(?<![\w/.])((?:[a-z_]+/)+[a-z_]+\.(?:py|md|yaml|h|cpp))", text):
        assert any((root / name).exists() for root in (ROOT, package, package / "backends" / "native")), name


def command_lines(text: str) -> set[str]:
    """The commands of segcube in code, blocks or within a line; continued lines are joined."""
    blocks = re.findall(r"```(?:sh|console)\n(.*?)```", text, re.S)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    found = [line.removeprefix("$ ").split(" #")[0].strip() for line in lines]
    found += [" ".join(code.split()) for code in re.findall(r"(?<!`)`(segcube\s[^`]+)`(?!`)", text)]
    return {line for line in found if line.startswith("segcube ")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_options_exist(page):
    for line in command_lines(page.read_text()):
        command, words = typer.main.get_command(app), line.split()[1:]
        while words and hasattr(command, "commands") and words[0] not in ("COMMAND", "..."):
            assert words[0] in {*command.commands, "-h", "--help", "--version"}, line
            command = command.commands.get(words.pop(0))
        options = {
            name
            for option in getattr(command, "params", ())
            for name in (*option.opts, *option.secondary_opts)
        }
        for option in re.findall(r"(?<=\s)--?[a-z][\w-]*", f" {' '.join(words)}"):
            assert option in {*options, "-h", "--help"}, line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_exist(page):
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"(?:`|^)(?:[A-Z]+=\w+ )?make ([\w-]+)", page.read_text(), re.M)) <= targets


def test_the_page_of_commands_is_current():
    assert (DOCS / "cli.md").read_text() == runpy.run_path(str(DOCS / "commands.py"))["page"](), (
        "run `make docs`"
    )


def test_the_page_of_recipes_is_current():
    assert (DOCS / "recipe.md").read_text() == runpy.run_path(str(DOCS / "recipe_keys.py"))["page"](), (
        "run `make docs`"
    )


def test_the_keys_of_metrics_are_documented_with_their_defaults():
    cells = [line.strip("| ").split(" | ") for line in section(FORMAT, "Metrics of a challenge").splitlines()]
    documented = {
        (profile.strip("`"), row[0].strip("`")): row[2]
        for row in cells
        if len(row) == 4
        for profile in row[1].split(", ")
        if row[0].startswith("`")
    }
    for model, profiles in (
        (Overlap, ("plain", "mbas")),
        (LesionWise, ("brats2023", "brats2024")),
        (Matched, ("brats2026",)),
    ):
        for name, info in model.model_fields.items():
            for profile in profiles if name != "profile" else ():
                default = documented.pop((profile, name))
                shown = "required" if info.is_required() else info.get_default(call_default_factory=True)
                assert yaml.safe_load(default.strip("`")) == (
                    list(shown) if isinstance(shown, tuple) else shown
                )
    assert not documented


def test_the_example_of_a_challenge_file_is_valid(tmp_path):
    (example,) = re.findall(r"```yaml\n(key: .*?)```", FORMAT, re.S)
    (tmp_path / "my-task.yaml").write_text(example)
    assert load_challenge(str(tmp_path / "my-task.yaml")).scored == ("ET", "TC", "WT")


def slug(heading: str) -> str:
    """GitHub's anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize(
    "page", [page for page in PAGES if "```python" in page.read_text()], ids=lambda p: p.name
)
def test_snippets_run(page, tmp_path, tumour_submission, make_case, glioma, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("brats-starter", "my-submission"):
        shutil.copytree(tumour_submission, tmp_path / "weights" / name)
    make_case(tmp_path / "demo/data", glioma, "BraTS-GLI-00001-000")
    write_data(tmp_path / "data")
    snippets = re.findall(r"```python\n(.*?)```", page.read_text(), re.S)
    # As few steps as show that the calls fit together
    code = "\n".join(snippets).replace('"steps": 2_000', '"steps": 2')
    exec(compile(code, str(page), "exec"), {})


@pytest.mark.parametrize("script", sorted(DOCS.glob("*.py")), ids=lambda script: script.name)
def test_scripts_of_the_documentation_find_what_they_import(script: Path) -> None:
    runpy.run_path(str(script), run_name="imported")
