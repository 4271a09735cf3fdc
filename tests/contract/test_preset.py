"""Whole runs at a preset."""

from __future__ import annotations


def test_a_preset_is_logged_and_reported(infer):
    code, out, report, stderr = infer("--preset", "fast")
    assert code == 0, stderr
    assert len(list(out.iterdir())) == 3
    assert "preset fast: 1 of 2 members, no mirrors, overlap 0.25" in stderr
    assert report["settings"]["preset"] == "fast"
    assert list(report["weights"]) == ["MedNeXtV10.safetensors"]


def test_without_a_preset_the_submission_runs_in_full(infer):
    _, _, report, stderr = infer()
    assert report["settings"]["preset"] == "full"
    assert len(report["weights"]) == 2
    assert not any(line.startswith("preset") for line in stderr.splitlines())


def test_mirroring_can_be_enabled_with_a_preset(infer):
    infer("--preset", "balanced", "--flips")
    _, _, report, _ = infer("--resume", "--preset", "full")
    assert [case["status"] for case in report["cases"]] == ["kept"] * 3
