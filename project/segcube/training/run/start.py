"""What a fold starts from: random weights, or trained ones, some of which stay frozen or start anew."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import yaml

from segcube.core import (
    LOG,
    EnvironmentFault,
    UsageError,
    count_of,
    write_atomic,
)
from segcube.networks import build_network, stored_state
from segcube.spec.submission import Branch
from segcube.training.plan import Plan
from segcube.training.run.folder import FoldFolder, FoldNumber, RunFolder
from segcube.training.run.lineage import StartFile, check_leak, read_start, unchanged_weights
from segcube.training.run.pretrained import Pretrained, find_pretrained, spec_of
from segcube.training.state import saved_step
from segcube.training.transfer import Matched, frozen_parameters, match_weights, parse_reset

LISTED = 6
"""Tensors of a kind that the log names."""
SPACING_TOLERANCE = 0.01


@dataclass(frozen=True)
class StartRequest:
    """Options of a training: trained weights, and presets or patterns of what stays frozen or starts anew."""

    init: Path | None = None
    freeze: tuple[str, ...] = ()
    reset: tuple[str, ...] = ()


@dataclass(frozen=True)
class Start:
    """How a fold starts; pretrained: None where a saved state has all weights."""

    file: StartFile
    pretrained: Pretrained | None


def find_start(
    run: RunFolder, fold: FoldNumber, request: StartRequest, *, fresh: bool = False
) -> Start | None:
    """Return how a fold starts, or started; None for random weights.

    Without `init` a fold goes on as it was started. fresh: what the fold holds is about to be removed. Raises
    UsageError for options that do not fit each other and weights that were trained on a patient whom the fold
    validates, EnvironmentFault for a fold that was started in another way.
    """
    folder = run.fold(fold)
    begun = not fresh and (saved_step(folder.root) is not None or folder.final.is_file())
    known = None if fresh else read_start(folder)
    if request.init is None:
        _check_alone(request, known, folder)
        if known is None:
            return None
        if begun:
            return Start(known, None)
        pretrained = unchanged_weights(known, fold)
        check_leak(run, fold, pretrained)
        return Start(known, pretrained)
    pretrained = find_pretrained(request.init, fold)
    if fresh and pretrained.file.resolve().is_relative_to(folder.root.resolve()):
        hint = "copy it to another place first"
        raise UsageError("is removed by --fresh", file=pretrained.file, expected="other weights", hint=hint)
    wanted = StartFile(
        init=request.init.absolute(),
        sha256=pretrained.sha256(),
        freeze=request.freeze,
        reset=request.reset,
    )
    if known is not None and known.digest != wanted.digest:
        raise _started_otherwise(folder, f"from {known.init}{_described(known)}")
    if known is None and begun:
        raise _started_otherwise(folder, "from random weights")
    check_leak(run, fold, pretrained)
    return Start(wanted, None if begun else pretrained)


def check_start(plan: Plan, start: Start) -> None:
    """Raise UsageError for weights that do not fit a plan's network, and for patterns that match nothing."""
    assert start.pretrained is not None, "a fold that starts anew has weights to start from"
    spec, file = spec_of(plan), start.file
    with torch.device("meta"):
        outline = build_network(plan.network, plan.arguments)
    frozen_parameters(outline, spec, file.freeze)
    fresh = {name: torch.zeros(value.shape) for name, value in stored_state(outline).items()}
    reset = parse_reset(spec, fresh, file.reset)
    match_weights(start.pretrained.tensors(), start.pretrained.spec, fresh, spec, reset)


def start_network(network: torch.nn.Module, plan: Plan, start: Start, folder: FoldFolder) -> None:
    """Fill a network with the weights that it starts from, and freeze parameters.

    Writes start.csv, a row for each tensor, and start.yaml. Raises UsageError as `match_weights` does.
    """
    spec, file, pretrained = spec_of(plan), start.file, start.pretrained
    frozen = set(frozen_parameters(network, spec, file.freeze))
    if pretrained is not None:
        _warn_of_preprocessing(pretrained.branch, plan.branch)
        fresh = {name: value.cpu() for name, value in stored_state(network).items()}
        reset = parse_reset(spec, fresh, file.reset)
        matched = match_weights(pretrained.tensors(), pretrained.spec, fresh, spec, reset)
        network.load_state_dict(matched.tensors, strict=False)
        _log(matched, file)
        folder.root.mkdir(parents=True, exist_ok=True)
        write_atomic(folder.start_table, _table(matched, frozen))
        content = yaml.safe_dump(file.model_dump(mode="json"), sort_keys=False, width=110)
        write_atomic(folder.start, content.encode())
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name not in frozen)
    if frozen:
        _log_frozen(network, len(frozen))


def describe_start(folder: FoldFolder) -> str:
    """Return what a fold started from, for a model card."""
    file = read_start(folder)
    if file is None:
        return "random weights"
    return f"weights of SHA-256 {file.sha256} ({file.init.name}){_described(file)}"


def _check_alone(request: StartRequest, known: StartFile | None, folder: FoldFolder) -> None:
    """Raise for --freeze and --reset without --init, unless they are those that the fold started with."""
    if not (request.freeze or request.reset):
        return
    if known is None:
        raise UsageError("--freeze or --reset without trained weights", expected="--init as well")
    if (set(request.freeze), set(request.reset)) != (set(known.freeze), set(known.reset)):
        raise _started_otherwise(folder, f"from {known.init}{_described(known)}")


def _started_otherwise(folder: FoldFolder, how: str) -> EnvironmentFault:
    hint = "give the same options or none, or start anew with --fresh"
    return EnvironmentFault(
        f"the fold was started {how}", file=folder.root, expected="the same start", hint=hint
    )


def _described(known: StartFile) -> str:
    options = [f" --freeze {text}" for text in known.freeze] + [f" --reset {text}" for text in known.reset]
    return "".join(options)


def _warn_of_preprocessing(trained: Branch, planned: Branch) -> None:
    """Log what the network saw differently when it was trained."""
    for key in ("axes", "orientation", "intensity", "normalize"):
        old, new = getattr(trained, key), getattr(planned, key)
        if old != new:
            LOG.warning("  the weights were trained with another %s: %s; planned: %s", key, old, new)
    if trained.spacing and planned.spacing:
        # A spacing of null is that of the case
        pairs = [(old or 0.0, new or 0.0) for old, new in zip(trained.spacing, planned.spacing, strict=True)]
        if any(abs(old - new) > SPACING_TOLERANCE * new for old, new in pairs):
            old, new = _edges(trained.spacing), _edges(planned.spacing)
            LOG.warning("  the weights were trained at %s mm; planned: %s mm", old, new)


def _edges(spacing: Sequence[float | None]) -> str:
    return " x ".join("any" if edge is None else f"{edge:.3g}" for edge in spacing)


def _log(matched: Matched, file: StartFile) -> None:
    """Log a line for each way in which tensors were taken over."""
    LOG.info("start from %s", file.init)
    groups: dict[tuple[str, str], list[str]] = {}
    for fate in matched.fates:
        groups.setdefault((fate.fate, fate.how), []).append(fate.name)
    for (fate, how), names in groups.items():
        listed = f"{', '.join(names[:LISTED])}{' ...' if len(names) > LISTED else ''}"
        detail = "" if fate == "copied" else f" ({how}): {listed}"
        LOG.info("  %s: %s%s", fate, count_of(len(names), "tensor"), detail)


def _log_frozen(network: torch.nn.Module, frozen: int) -> None:
    parameters = list(network.parameters())
    trained = sum(parameter.numel() for parameter in parameters if parameter.requires_grad)
    total = sum(parameter.numel() for parameter in parameters)
    message = "  frozen: %d of %d parameter tensors; %s of %s parameters are trained"
    LOG.info(message, frozen, len(parameters), f"{trained:,}", f"{total:,}")


def _table(matched: Matched, frozen: set[str]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("tensor", "shape", "start", "how", "frozen"))
    for fate in matched.fates:
        shape = "x".join(map(str, matched.tensors[fate.name].shape)) if fate.name in matched.tensors else ""
        writer.writerow((fate.name, shape, fate.fate, fate.how, "yes" if fate.name in frozen else "no"))
    return text.getvalue().encode()
