"""`segcube phantoms`: write synthetic cases with known labels, or compare them with scans."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from segcube.cli.base.options import Challenge, OutOfPlace, folder_of
from segcube.core import LOG, ExitCode, UsageError, count_of, printable

if TYPE_CHECKING:
    from segcube.phantoms import Comparison, PhantomSet

COMPARED = 24
"""Phantoms that scans are compared with, unless --count is given."""

PhantomFolder: TypeAlias = Annotated[
    Path | None,
    typer.Argument(
        metavar="DIR",
        help="Folder to write data/ and labels/ to, as --out; required unless --compare. Default: none.",
        show_default=False,
    ),
]
Count: TypeAlias = Annotated[
    int | None, typer.Option(min=1, help="Number of phantoms. Default: 1, or 24 with --compare.")
]
Seed: TypeAlias = Annotated[
    int, typer.Option(min=0, help="Random seed; the same seed writes the same cases.")
]
First: TypeAlias = Annotated[
    int, typer.Option(min=1, help="Number in the name of the first phantom; other numbers, other cases.")
]
Spacing: TypeAlias = Annotated[
    float | None,
    typer.Option(
        metavar="MM",
        min=0.25,
        max=20.0,
        help="Edge of the voxels, to train on a CPU within minutes; also writes DIR/challenge.yaml, the "
        "challenge with this grid. Default: a grid of the challenge.",
        show_default=False,
    ),
]
GeneratorName: TypeAlias = Annotated[
    Literal["usual", "second"],
    typer.Option(
        "--generator",
        help="second makes phantoms of another anatomy with free contrasts, to validate networks that were "
        "trained on phantoms; its brains are the average of 152 adults and need nilearn.",
    ),
]
Scans: TypeAlias = Annotated[
    Path | None,
    typer.Option(metavar="DATA", help="Folder of labelled scans to compare phantoms with. Default: none."),
]
ScanLabels: TypeAlias = Annotated[
    Path | None, typer.Option(help="With --compare: folder of the scans' reference labels. Default: DATA.")
]
ReportFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="With --compare: JSON file for the table and the values of each case. Default: none.",
    ),
]
ChartFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="With --compare: PNG file for a chart of the table. Default: none."),
]


def phantoms(
    challenge: Challenge,
    place: PhantomFolder = None,
    out: OutOfPlace = None,
    count: Count = None,
    seed: Seed = 0,
    first: First = 1,
    spacing: Spacing = None,
    generator: GeneratorName = "usual",
    compare: Scans = None,
    ref: ScanLabels = None,
    report: ReportFile = None,
    chart: ChartFile = None,
) -> ExitCode:
    """Write synthetic cases (phantoms), or compare them with scans.

    Phantoms have known labels. The images show no patient: use them to try out a submission, not to measure
    its accuracy. A case takes 10 to 20 s, with --spacing 3 about 2 s.

    --compare writes no case. It measures composition, size, contrast and noise of labelled scans and of
    phantoms, and prints for each quantity whether the scans' median lies within the phantoms' 5th to 95th
    percentile, or else whether the ranges from minimum to maximum overlap. Labels that no scan has are left
    out. docs/phantoms.md describes the quantities.

    Exit code: 0 done; with --compare, 3 some scans cannot be measured, 4 none can.

    \b
    Example:
      segcube phantoms demo --challenge brats2023-gli --count 2
      segcube infer -i demo/data -o demo/maps
      segcube phantoms small --challenge brats2023-gli --spacing 3 --count 12
      segcube phantoms --challenge brats2023-gli --compare scans --ref labels --chart chart.png
    """
    from segcube.core import case_bar
    from segcube.phantoms import (
        SECOND,
        USUAL,
        PhantomSet,
        check_not_coarse,
        compare_folder,
        write_coarse_challenge,
    )
    from segcube.spec.challenges import load_challenge

    folder = folder_of(place, out)
    if folder is None and compare is None:
        raise UsageError("no folder to write to", expected="DIR, or --compare DATA")
    if folder is not None and compare is not None:
        raise UsageError(f"--compare writes no cases to {folder}", expected="DIR or --compare DATA")
    known = load_challenge(challenge)
    if compare is not None:
        if generator != "usual" or spacing is not None or first != 1:
            found = "--generator, --spacing or --first with --compare"
            raise UsageError(found, expected="a comparison with usual phantoms on the challenge's grid")
        _check_replaceable(report, chart)
        with case_bar("measuring") as on_case:
            found = compare_folder(compare, ref or compare, known, count or COMPARED, seed, on_case)
        return _report(found, report, chart)
    assert folder is not None
    if any((ref, report, chart)):
        raise UsageError("--ref, --report or --chart without scans", expected="--compare DATA")
    if spacing is None:
        check_not_coarse(folder)
    else:
        known, file = write_coarse_challenge(known, spacing, folder)
        challenge = str(file)
    _write(PhantomSet(known, count or 1, seed, first, SECOND if generator == "second" else USUAL), folder)
    _log_next(folder, challenge, coarse=spacing is not None)
    return ExitCode.DONE


def _write(phantoms: PhantomSet, folder: Path) -> None:
    """Write phantoms, and print the name of each as soon as it is written."""
    from segcube.core import case_bar
    from segcube.phantoms import write_phantoms

    with case_bar("writing") as on_case:

        def print_case(case: str, total: int) -> None:
            on_case(case, total)
            typer.echo(printable(case))

        write_phantoms(phantoms, folder, on_case=print_case)
    LOG.info(f"{count_of(phantoms.count, 'phantom')} in {folder / 'data'}, labels in {folder / 'labels'}")


def _log_next(folder: Path, challenge: str, *, coarse: bool) -> None:
    """Log what can be done with phantoms; coarse ones are not those that a submission expects."""
    data, labels = folder / "data", folder / "labels"
    if not coarse:
        LOG.info("next: segcube infer -i %s -o %s, or train on them:", data, folder / "maps")
    planned = f"--challenge {challenge} --recipe fast --out runs/{folder.resolve().name}"
    LOG.info("next: segcube plan %s --ref %s %s", data, labels, planned)


def _check_replaceable(report: Path | None, chart: Path | None) -> None:
    """Find out before the long work whether its results can be written."""
    from segcube.formats.nifti import check_replaceable

    if report is not None and chart is not None and report.resolve() == chart.resolve():
        raise UsageError("--report and --chart are one file", file=report, expected="two files")
    check_replaceable(report, "a comparison of segcube", (b'"comparison"',))
    check_replaceable(chart, "a chart of segcube", (b"PNG", b"segcube"))
    if chart is not None:
        importlib.import_module("matplotlib")


def _report(found: Comparison, report: Path | None, chart: Path | None) -> ExitCode:
    """Write and print a comparison, and log the scans that could not be measured."""
    from segcube.cli.base.tables import print_comparison
    from segcube.core import write_atomic
    from segcube.phantoms import draw_comparison

    if report is not None:
        write_atomic(report, found.as_json())
    if chart is not None:
        write_atomic(chart, draw_comparison(found))
    for case, problem in found.problems.items():
        LOG.warning(f"{case}: not measured: {problem}")
    if not found.scans:
        return ExitCode.NONE_DONE
    print_comparison(found)
    return ExitCode.SOME_FAILED if found.problems else ExitCode.DONE
