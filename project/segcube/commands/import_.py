"""`segcube import`: a subcommand a kind of source."""

from __future__ import annotations

import typer

from segcube.commands.import_lightning import lightning
from segcube.commands.import_mbas import mbas
from segcube.commands.import_mednext import mednext
from segcube.commands.import_monai_bundle import monai_bundle
from segcube.commands.import_nnunet import nnunet

import_ = typer.Typer(
    name="import",
    help="Bring a trained model, running nothing in it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@import_.callback()
def start() -> None:
    """Keep the kinds' names, however many there are."""


import_.command("lightning")(lightning)
import_.command("mbas")(mbas)
import_.command("mednext")(mednext)
import_.command("monai-bundle")(monai_bundle)
import_.command("nnunet")(nnunet)
