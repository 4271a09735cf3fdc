"""`segcube picture`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segcube.cli.leave import leave_with
from segcube.core import ExitCode, printable


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
        from segcube.cli.tables import print_problems, print_scores
        from segcube.core import case_bar, write_whole
        from segcube.evaluation import as_csv, as_json, choose_challenge, evaluate_folder
        from segcube.formats.nifti import expect_replaceable

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


def rank(
    files: Annotated[list[Path], typer.Argument(help="Score files of `segcube evaluate --json`.")],
    json: Annotated[Path | None, typer.Option(help="File for the whole ranking.")] = None,
    metric: Annotated[
        list[str] | None, typer.Option(help="A metric that counts, once for each; else the profile's.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the random permutations.")] = 0,
) -> None:
    """Rank submissions as the organisers do.

    Each pair is put to a permutation test, and the cases that part them are named.
    """

    def run() -> None:
        from segcube.core import write_whole
        from segcube.formats.nifti import expect_replaceable
        from segcube.tools.rank import print_ranking, rank_files

        expect_replaceable(json, "a ranking of segcube", (b'"profile"', b'"permutations"'))
        ranking = rank_files(files, metric or (), seed)
        if json is not None:
            write_whole(json, ranking.as_json())
        print_ranking(ranking)

    leave_with(run)


def picture(
    out: Annotated[Path, typer.Argument(help="Folder for the pictures.")],
    data: Annotated[Path, typer.Option(help="Folder of cases.")],
    maps: Annotated[Path, typer.Option(help="Folder of their label maps.")],
    challenge: Annotated[str, typer.Option(help="Whose names and labels they have.")],
) -> None:
    """Draw each case with its label map, as a PNG."""

    def run() -> int:
        from segcube.core import CaseError
        from segcube.pages import draw_folder
        from segcube.spec.challenges import load_challenge

        def report(case: str, error: CaseError) -> None:
            typer.echo(printable(f"{case}: {error.code}: {error}"), err=True)

        def show(file: Path) -> None:
            typer.echo(printable(str(file)))

        return draw_folder(data, maps, load_challenge(challenge), out, show, report)

    leave_with(run)
