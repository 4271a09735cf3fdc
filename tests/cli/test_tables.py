import json

import yaml

from segcube.cli.tables import print_submission


def test_networks_parameters_and_terms_are_told(tumour_submission, capsys):
    file = tumour_submission / "submission.yaml"
    file.write_text(file.read_text() + "licence: CC-BY-4.0\ncitation: Somebody 2024\n")
    print_submission(tumour_submission)
    told = capsys.readouterr().out
    assert "tumour, licence CC-BY-4.0" in told
    assert "cite Somebody 2024" in told
    assert "stage tumour: regions TC WT ET, merged as probabilities" in told
    assert (
        "t2f t1n t1c t2w (xyz, spacing native), windows 16 x 16 x 32 overlap 0.5 (monai, gaussian), mirrors x"
        in told
    )
    assert "MedNeXtV10.safetensors  MedNeXtV1, " in told
    assert " parameters  weight 1.0  sha256 " in told
    assert "postprocess: nest" in told


def test_json_holds_the_submission_and_what_its_files_say(tumour_submission, capsys):
    print_submission(tumour_submission, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["name"] == "tumour"
    (branch,) = told["stages"][0]["branches"]
    assert [len(member["sha256"]) for member in branch["members"]] == [64, 64]
    weights = told["weights"]["MedNeXtV11.safetensors"]
    assert (weights["network"], weights["arguments"]["n_channels"]) == ("MedNeXtV1", 2)
    assert weights["parameters"] > 0


def test_a_member_that_cannot_be_read_is_told_and_the_rest_stays(tumour_submission, capsys):
    (tumour_submission / "MedNeXtV10.safetensors").unlink()
    print_submission(tumour_submission)
    told = capsys.readouterr().out
    assert "MedNeXtV10.safetensors  cannot be read" in told
    assert "MedNeXtV11.safetensors  MedNeXtV1, " in told


def test_foreign_fields_neither_forge_lines_nor_style_them(tumour_submission, capsys):
    file = tumour_submission / "submission.yaml"
    content = yaml.safe_load(file.read_text())
    foreign = "[red]CC[/red] :skull: \x1b[31m\nstarter"
    content |= {"licence": foreign, "citation": foreign}
    file.write_text(yaml.safe_dump(content))
    print_submission(tumour_submission)
    told = capsys.readouterr().out
    assert told.count(r"[red]CC[/red] :skull: \x1b[31m\nstarter") == 2
    assert "\x1b" not in told
    assert not any(line.startswith("starter") for line in told.splitlines())
