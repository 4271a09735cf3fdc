from __future__ import annotations

import pytest

from segcube.release.pack import Paper
from segcube.release.pack.orchestrator import orchestrator_entry
from segcube.spec.challenges import load_challenge


@pytest.mark.parametrize(
    ("key", "schema", "separator", "year"),
    [
        ("brats2024-ssa", "BraTS-SSA-{id:05d}-000", "-", 2024),
        ("brats2023-gli", "BraTS-GLI-{id:05d}-000", "-", 2023),
        ("brats2024-men-rt", "BraTS-MEN-RT-{id:04d}-1", "_", 2024),
    ],
)
def test_the_names_that_the_orchestrator_sends_are_the_challenges(key, schema, separator, year):
    entry = orchestrator_entry("a/b:1", load_challenge(key), Paper())
    assert entry["run_args"]["input_name_schema"] == schema
    assert entry["run_args"]["subject_modality_separator"] == separator
    assert entry["meta"]["year"] == year


def test_every_name_that_is_sent_is_a_case():
    challenge = load_challenge("brats2024-men-rt")
    schema = orchestrator_entry("a/b:1", challenge, Paper())["run_args"]["input_name_schema"]
    assert challenge.is_case(schema.format(id=0))


def test_weights_outside_the_image_are_named_by_their_record():
    challenge = load_challenge("brats2024-ssa")
    assert orchestrator_entry("a/b:1", challenge, Paper())["additional_files"] is None
    entry = orchestrator_entry("a/b:1", challenge, Paper(zenodo="123"))
    assert entry["additional_files"] == {"record_id": "123", "param_name": ["weights"]}
