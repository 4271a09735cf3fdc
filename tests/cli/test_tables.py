import json

import yaml

from segcube.cli.base.tables import print_submission


def test_networks_parameters_and_licence_are_printed(tumour_submission, capsys):
    file = tumour_submission / "submission.yaml"
    file.write_text(file.read_text() + "licence: CC-BY-4.0\ncitation: Author 2024\n")
    print_submission(tumour_submission)
    output = capsys.readouterr().out
    assert "tumour, licence CC-BY-4.0" in output
    assert "cite Author 2024" in output
    assert "stage tumour: regions TC WT ET, merged as probabilities" in output
    assert (
        "t2f t1n t1c t2w (xyz, spacing native), windows 16 x 16 x 32 overlap 0.5 (monai, gaussian), mirrors x"
        in output
    )
    assert "MedNeXtV10.safetensors  MedNeXtV1, " in output
    assert " parameters  weight 1.0  sha256 " in output
    assert "postprocess: nest" in output


def test_json_has_the_submission_and_the_metadata_of_its_files(tumour_submission, capsys):
    print_submission(tumour_submission, as_json=True)
    output = json.loads(capsys.readouterr().out)
    assert output["name"] == "tumour"
    (branch,) = output["stages"][0]["branches"]
    assert [len(member["sha256"]) for member in branch["members"]] == [64, 64]
    weights = output["weights"]["MedNeXtV11.safetensors"]
    assert (weights["network"], weights["arguments"]["n_channels"]) == ("MedNeXtV1", 2)
    assert weights["parameters"] > 0


def test_a_weights_file_that_cannot_be_read_is_reported_beside_the_others(tumour_submission, capsys):
    (tumour_submission / "MedNeXtV10.safetensors").unlink()
    print_submission(tumour_submission)
    output = capsys.readouterr().out
    assert "MedNeXtV10.safetensors  no such file" in output
    assert "MedNeXtV11.safetensors  MedNeXtV1, " in output


def test_fields_cannot_add_lines_or_styles_to_the_output(tumour_submission, capsys):
    file = tumour_submission / "submission.yaml"
    content = yaml.safe_load(file.read_text())
    foreign = "[red]CC[/red] :skull: \x1b[31m\nstarter"
    content |= {"licence": foreign, "citation": foreign}
    file.write_text(yaml.safe_dump(content))
    print_submission(tumour_submission)
    output = capsys.readouterr().out
    assert output.count(r"[red]CC[/red] :skull: \x1b[31m\nstarter") == 2
    assert "\x1b" not in output
    assert not any(line.startswith("starter") for line in output.splitlines())
