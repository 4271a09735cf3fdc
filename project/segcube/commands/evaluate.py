"""`segcube evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segcube.commands.leave import leave_with
from segcube.errors import ExitCode


def evaluate(
    pred: Annotated[Path, typer.Option(help="Folder of label maps to score.")],
    ref: Annotated[Path, typer.Option(help="Folder of the true label maps.")],
    challenge: Annotated[
        str | None, typer.Option(help="A key or a YAML of your own; else the names decide.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="brats2023, brats2024, brats2026, mbas or plain; else the challenge's.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="File for all scores.")] = None,
    csv: Annotated[Path | None, typer.Option(help="File for a row a case and region.")] = None,
    lesions: Annotated[bool, typer.Option("--lesions", help="Add each lesion's row to the JSON.")] = False,
    millimetres: Annotated[
        bool, typer.Option("--millimetres", help="Add distances in mm beside 2026's official ones in voxels.")
    ] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Cases at once; else one a core.")] = None,
) -> None:
    """Score label maps as the organisers do.

    Exit 0; 3 where a reference cannot be read, 4 where none can.
    """

    def run() -> ExitCode:
        from segcube.evaluate import as_csv, as_json, choose_challenge, evaluate_folder
        from segcube.report import case_bar, print_problems, print_scores
        from segcube.volumes import expect_replaceable, write_whole

        expect_replaceable(json, "an evaluation of segcube", (b'"profile"', b'"versions"'))
        expect_replaceable(csv, "a table of segcube's scores", (b"case,region",))
        chosen = choose_challenge(pred, ref, challenge)
        with case_bar("scoring") as on_case:
            found = evaluate_folder(pred, ref, chosen, profile, workers, millimetres, on_case)
        if json is not None:
            write_whole(json, as_json(found, lesions))
        if csv is not None:
            write_whole(csv, as_csv(found))
        cases = {name: scores.regions for name, scores in found.cases.items()}
        title = f"{found.challenge}, profile {found.profile}, {len(cases)} cases"
        if cases:
            print_scores(title, found.mean, found.median, cases)
        notices = {name: scores.notices for name, scores in found.cases.items()}
        print_problems(found.problems, notices, found.without_reference, found.bad_references)
        if not found.bad_references:
            return ExitCode.DONE
        return ExitCode.SOME_FAILED if cases else ExitCode.NONE_DONE

    leave_with(run)
