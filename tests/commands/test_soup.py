import pytest
from typer.testing import CliRunner

from segcube.cli import app
from segcube.submission import load_for


def run(*arguments):
    return CliRunner().invoke(app, ["soup", *map(str, arguments)])


def test_a_uniform_soup_of_a_submission(tumour_submission, tmp_path):
    result = run("uniform", tumour_submission, "--out", tmp_path / "soup")
    assert result.exit_code == 0, result.output
    assert "the mean of 2 members" in result.output
    assert [member.file for member in load_for(tmp_path / "soup").submission.members] == ["soup.safetensors"]


@pytest.mark.parametrize(
    ("options", "words"),
    [(["--metric", "hd95"], "of hd95 less is better"), (["--stage", "heart"], "no stage 'heart'")],
)
def test_what_makes_no_sense_is_usage(tumour_submission, tmp_path, options, words):
    folders = ["--out", tmp_path / "soup", "--data", tmp_path, "--labels", tmp_path]
    result = run("greedy", tumour_submission, *folders, *options)
    assert result.exit_code == 2
    assert words in result.output
