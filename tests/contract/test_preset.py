"""Whole runs at a preset."""

from __future__ import annotations


def test_a_preset_is_said_aloud_and_reported(infer):
    code, out, report, stderr = infer("--preset", "fast")
    assert code == 0, stderr
    assert len(list(out.iterdir())) == 3
    assert "preset fast: 1 of 2 members, no mirrors, overlap 0.25" in stderr
    assert report["settings"]["preset"] == "fast"
    assert list(report["weights"]) == ["MedNeXtV10.safetensors"]


def test_without_a_preset_the_submission_runs_as_it_says(infer):
    _, _, report, stderr = infer()
    assert report["settings"]["preset"] == "full"
    assert len(report["weights"]) == 2
    assert "preset" not in stderr


def test_mirrors_come_back_over_a_preset(infer):
    infer("--preset", "balanced", "--flips")
    _, _, report, _ = infer("--resume", "--preset", "full")
    assert [case["status"] for case in report["cases"]] == ["kept"] * 3
