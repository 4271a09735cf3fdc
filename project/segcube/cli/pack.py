"""`segcube pack`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from segcube.cli.base.options import Device, Submission

UNKNOWN = "N/A"


def pack(
    weights: Submission,
    image: Annotated[str, typer.Option(help="Name of the image that you will push, with registry and tag.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", help="Folder to create, with an archive beside it. Default: packed/NAME."
        ),
    ] = None,
    build: Annotated[
        bool, typer.Option("--build", help="Build the image with Docker or Podman, this submission inside.")
    ] = False,
    torch: Annotated[
        Literal["cuda", "cpu"], typer.Option(help="With --build: the build of torch to install.")
    ] = "cuda",
    source: Annotated[
        str, typer.Option(help="With --build: URL of the source code, for the image's label.")
    ] = "unpublished",
    authors: Annotated[str, typer.Option(help="Authors, for the BraTS orchestrator.")] = UNKNOWN,
    paper: Annotated[str, typer.Option(help="URL of your paper, for the BraTS orchestrator.")] = UNKNOWN,
    manuscript: Annotated[
        str, typer.Option(help="URL of the challenge's paper, for the BraTS orchestrator.")
    ] = UNKNOWN,
    rank: Annotated[
        str, typer.Option(help="Place reached in the challenge, such as 1st, for the BraTS orchestrator.")
    ] = UNKNOWN,
    zenodo: Annotated[
        str | None,
        typer.Option(help="Zenodo record of the weights. Default: none, the weights are in the image."),
    ] = None,
    device: Device = "auto",
) -> int:
    """Check a submission and pack it for the hosts.

    Runs `segcube check submission`. If there is no error, compiles networks that are not yet compiled and
    writes a folder for MedPerf and MLCube, an archive for Synapse and an entry for the BraTS orchestrator.
    Starters and placeholder names of images are errors.

    Exit code: 0 packed, 2 usage, 3 the check found errors, 5 no container engine or the build failed.

    \b
    Example:
      segcube pack weights/NAME --image docker.synapse.org/syn123/brats:1 --build
    """
    from segcube.release.check import print_report
    from segcube.release.pack import BuildArguments, PackRequest, Publication, check_and_pack

    publication = Publication(authors, paper, manuscript, rank, zenodo)
    build_arguments = BuildArguments(torch, source) if build else None
    request = PackRequest(weights, image, out, publication, build_arguments, device)
    report, packed = check_and_pack(request)
    print_report(report)
    if packed is not None:
        typer.echo(packed.summary(image if build else None))
    return report.exit_code()
