"""`segcube evaluate`, `segcube rank` and `segcube picture`: label maps against references and images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from segcube.cli.base.options import ChallengeByNames, Data, Maps, OutOfPlace, Place, Profile, Ref, folder_of
from segcube.core import LOG, ExitCode, UsageError, count_of, printable

ScoresFile: TypeAlias = Annotated[
    Path | None, typer.Option(metavar="FILE", help="JSON file for all scores. Default: none.")
]
CsvFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="CSV file with one row for each case and region. Default: none."),
]
Lesions: TypeAlias = Annotated[
    bool, typer.Option("--lesions", help="With --scores: add the scores of each lesion.")
]
Millimetres: TypeAlias = Annotated[
    bool,
    typer.Option("--millimetres", help="Add distances in mm; the official ones of brats2026 are in voxels."),
]
Workers: TypeAlias = Annotated[
    int | None,
    typer.Option(min=1, help="Number of cases to score in parallel. Default: the CPUs that may be used."),
]


def evaluate(
    maps: Maps,
    ref: Ref,
    challenge: ChallengeByNames = None,
    profile: Profile = None,
    scores: ScoresFile = None,
    csv: CsvFile = None,
    lesions: Lesions = False,
    millimetres: Millimetres = False,
    workers: Workers = None,
) -> ExitCode:
    """Score label maps as the challenge's organisers do.

    Prints mean and median of each metric and region and the worst cases. A case without a valid map scores 0
    and the penalty distance.

    Exit code: 0 done, 3 some references cannot be read, 4 none can.

    \b
    Example:
      segcube evaluate --maps maps --ref labels --challenge brats2024-ssa --scores scores.json
    """
    from segcube.cli.base.tables import log_problems, print_scores
    from segcube.core import case_bar, write_atomic
    from segcube.evaluation import as_csv, as_json, choose_challenge, evaluate_folder
    from segcube.formats.nifti import check_replaceable

    check_replaceable(scores, "an evaluation of segcube", (b'"profile"', b'"versions"'))
    check_replaceable(csv, "a table of segcube's scores", (b"case,region",))
    chosen = choose_challenge(maps, ref, challenge)
    with case_bar("scoring") as on_case:
        found = evaluate_folder(maps, ref, chosen, profile, workers, millimetres, on_case)
    if scores is not None:
        write_atomic(scores, as_json(found, lesions))
    if csv is not None:
        write_atomic(csv, as_csv(found))
    cases = {name: case.regions for name, case in found.cases.items()}
    title = f"{found.challenge}, profile {found.profile}, {count_of(len(cases), 'case')}"
    if cases:
        print_scores(title, found.mean, found.median, cases)
    notices = {name: case.notices for name, case in found.cases.items()}
    log_problems(found.problems, notices, found.without_reference, found.bad_references)
    if not found.bad_references:
        return ExitCode.DONE
    return ExitCode.SOME_FAILED if cases else ExitCode.NONE_DONE


def rank(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="SCORES", help="Files of `segcube evaluate --scores`, one per submission."),
    ],
    scores: Annotated[
        Path | None, typer.Option(metavar="FILE", help="JSON file for the ranking. Default: none.")
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(help="Metric to rank by; repeat it for several. Default: those of the profile."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the permutation tests.")] = 0,
) -> None:
    """Rank submissions as the challenge's organisers do.

    Ranks the submissions in each case, region and metric, and then by their mean rank. Compares each pair of
    submissions by a permutation test and lists the cases in which they differ most.

    \b
    Example:
      segcube rank mine.json theirs.json --metric lesionwise_dice
    """
    from segcube.core import write_atomic
    from segcube.formats.nifti import check_replaceable
    from segcube.tools.rank import print_ranking, rank_files

    check_replaceable(scores, "a ranking of segcube", (b'"profile"', b'"permutations"'))
    ranking = rank_files(files, metric or (), seed)
    if scores is not None:
        write_atomic(scores, ranking.as_json())
    print_ranking(ranking)


def picture(
    data: Data,
    maps: Maps,
    place: Place = None,
    out: OutOfPlace = None,
    challenge: ChallengeByNames = None,
    ref: Annotated[
        Path | None,
        typer.Option(help="Folder of reference label maps, to draw beside the others. Default: none."),
    ] = None,
) -> ExitCode:
    """Draw each case with its label map as a PNG file.

    Draws the axial, the coronal and the sagittal section with the most labelled voxels, in radiological
    convention: the patient's right is on the left. To see labelled scans or phantoms without a prediction,
    give their labels as --maps.

    Exit code: 0 done, 3 some cases or maps cannot be read, 4 none can.

    \b
    Example:
      segcube picture -i data --maps maps --ref labels -o pictures --challenge brats2024-ssa
      segcube picture -i data --maps labels -o pictures --challenge mbas2024
    """
    from segcube.core import CaseError
    from segcube.evaluation import choose_challenge
    from segcube.pages import draw_folder

    folder = folder_of(place, out)
    if folder is None:
        raise UsageError("no folder to write to", expected="-o DIR")
    chosen = choose_challenge(maps, data, challenge)
    drawn = failed = 0
    for name, outcome in draw_folder(data, maps, chosen, folder, ref):
        if outcome is None:
            LOG.warning(f"{name}: no label map, not drawn")
        elif isinstance(outcome, CaseError):
            failed += 1
            LOG.warning(f"{name}: {outcome.code}: {outcome}")
        else:
            drawn += 1
            typer.echo(printable(str(outcome)))
    if not failed:
        return ExitCode.DONE
    return ExitCode.SOME_FAILED if drawn else ExitCode.NONE_DONE
