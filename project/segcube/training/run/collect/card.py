"""MODEL_CARD.md of a run: what was trained on what, how, and the scores out of fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from segcube.core import Checkpoint, EnvironmentFault, count_of, printable, read_json
from segcube.spec.challenges import Challenge
from segcube.spec.submission import Submission, read_challenge
from segcube.training.cases import Folds, load_folds
from segcube.training.plan import Plan, read_fingerprint, read_plan
from segcube.training.progress import CURVES
from segcube.training.recipes import recipe_digest
from segcube.training.run.cases import DatasetFile
from segcube.training.run.folder import FoldNumber, RunFolder
from segcube.training.run.origin import read_origin
from segcube.training.run.start import describe_start
from segcube.training.run.validate import FoldScores
from segcube.training.submission import LICENCE

CARD = "MODEL_CARD.md"
FILL_IN = "**FILL IN**"


@dataclass(frozen=True)
class CardFacts:
    """What a model card states of a run; scores: of those folds that were validated."""

    run: RunFolder
    folds: Sequence[FoldNumber]
    plan: Plan
    dataset: DatasetFile
    challenge: Challenge
    checkpoint: Checkpoint
    scores: Mapping[FoldNumber, FoldScores]
    is_only: bool = True
    """Whether the submission is of this run alone."""

    @property
    def prefix(self) -> str:
        """Of the names of its files in a submission."""
        return "" if self.is_only else f"{self.run.name}_"


def curves_name(facts: CardFacts, fold: FoldNumber) -> str:
    """Return the name of a fold's curves in a submission."""
    return f"{facts.prefix}curves_fold_{fold}.png"


def model_card(submission: Submission, runs: Sequence[CardFacts]) -> str:
    """Return a model card as Markdown; what only the user knows is marked FILL IN."""
    parts = [
        f"# {printable(submission.name)}",
        "Not a medical device. Every score below is out of fold: of cases that the fold was not trained on.",
        "## To fill in",
        _list(
            {
                "Licence of the weights": FILL_IN if submission.licence == LICENCE else submission.licence,
                "Licence and source of the data": FILL_IN,
                "Intended use": FILL_IN,
                "Authors and contact": FILL_IN,
            }
        ),
    ]
    if len(runs) == 1:
        parts += _sections(runs[0], "##")
    else:
        parts.append(
            "The members of several runs are averaged. The scores are those of each run alone; `segcube tune "
            "--run` estimates those of all together."
        )
        for facts in runs:
            parts += [f"## Run {printable(facts.run.name)}", *_sections(facts, "###")]
    return "\n\n".join(parts) + "\n"


def _sections(facts: CardFacts, level: str) -> list[str]:
    run, folds = facts.run, facts.folds
    return [
        f"{level} Data",
        _list(_data(run, facts, load_folds(run.folds))),
        f"{level} Model and training",
        _list(_training(run, folds, facts)),
        f"{level} Scores out of fold",
        _scores(folds, facts),
        f"{level} Curves",
        "\n".join(_curves(facts)) or "No curves were drawn.",
        f"{level} Environment",
        _environment(run, folds),
    ]


def _data(run: RunFolder, facts: CardFacts, known: Folds) -> dict[str, str]:
    fingerprint = read_fingerprint(run.fingerprint)
    generated = {number for number, source in enumerate(facts.dataset.sources) if source.patients}
    own = [case for case in facts.dataset.cases if case.source not in generated]
    patients = {case.patient for case in own}
    labels = ", ".join(f"{name} {count:,}" for name, count in fingerprint.label_voxels.items())
    found = {
        "Challenge": facts.challenge.key,
        "Cases": f"{len(own)} of {count_of(len(patients), 'patient')}",
        "Channels": ", ".join(facts.challenge.channel_names),
        "Voxels by label": labels,
        "Folds": f"{len(known.validation)}, {known.source}",
    }
    if known.training_only:
        found["Cases that train every fold"] = str(len(known.training_only))
    if (synthetic := facts.plan.recipe.synthetic) is not None:
        found["Phantoms"] = f"in {synthetic.share:.0%} of the training patches, seed {synthetic.seed}"
    return found | _sources(run, facts.dataset)


def _sources(run: RunFolder, dataset: DatasetFile) -> dict[str, str]:
    """The further data: how many cases of which challenge, and labels that became others."""
    found: dict[str, str] = {}
    for number, source in enumerate(dataset.sources):
        cases = sum(case.source == number for case in dataset.cases)
        changed = [f"{name} as {label}" for name, label in source.labels.items() if name != label]
        labels = f"; labels {', '.join(changed)}" if changed else ""
        key = read_challenge(source.challenge, run.root).key
        made = ", samples of a generative model" if source.patients else ""
        found[f"Further data {number + 1}"] = f"{count_of(cases, 'case')} of {key}{made}{labels}"
    return found


def _training(run: RunFolder, folds: Sequence[FoldNumber], facts: CardFacts) -> dict[str, str]:
    plan, recipe = facts.plan, facts.plan.recipe
    size = " x ".join(map(str, plan.patch))
    spacing = " x ".join(f"{edge:.4g}" for edge in plan.spacing)
    steps = sorted({read_origin(run.fold(fold)).steps for fold in folds})
    starts = {describe_start(run.fold(fold)) for fold in folds}
    return {
        "Network": f"{plan.network}, {count_of(len(folds), 'member')}: fold {', '.join(map(str, folds))}",
        "Recipe": f"{recipe.name}, SHA-256 {recipe_digest(recipe)}",
        "Source of the recipe": " ".join(recipe.source.split()),
        "Plan": plan.origin,
        "Patch": f"{size} voxels of {spacing} mm, batch {plan.batch}",
        **_first_stage(plan),
        "Start": "; ".join(sorted(starts)),
        "Steps": " and ".join(f"{count:,}" for count in steps),
        "Checkpoint": f"{facts.checkpoint}, weights averaged where the optimizer averages them",
    }


def _first_stage(plan: Plan) -> dict[str, str]:
    """The stage that the plan's follows, in a cascade."""
    follows = plan.follows
    if plan.previous is None or follows is None:
        return {}
    first = read_plan(RunFolder(plan.previous.run).plan)
    kept = follows.keep.replace("_", " ")
    dilated = f", dilated by {follows.dilate.radius:g} voxels"
    how = f"{follows.as_.replace('_', ' ')}{dilated if follows.as_ == 'gate' else ''}, {kept}"
    found = f"run {plan.previous.name}, recipe {first.recipe.name}; its masks out of fold as {how}"
    return {"First stage": found}


def _scores(folds: Sequence[FoldNumber], facts: CardFacts) -> str:
    """A table of each fold, and the mean over all cases."""
    if not facts.scores:
        return "The folds were not validated: run `segcube validate` before `segcube collect`."
    first = next(iter(facts.scores.values()))
    regions = list(first.mean)
    metrics = list(first.mean[regions[0]])[:2]
    columns = [(region, metric) for region in regions for metric in metrics]
    rows = [
        [
            f"fold {fold}",
            str(scores.cases),
            *(_number(scores.mean[region][metric]) for region, metric in columns),
        ]
        for fold, scores in facts.scores.items()
    ]
    if len(facts.scores) > 1:
        cases = sum(scores.cases for scores in facts.scores.values())
        rows.append(["all", str(cases), *(_number(_mean(facts.scores, *column)) for column in columns)])
    heading = ["", "cases", *(f"{region} {metric}" for region, metric in columns)]
    lines = [heading, ["---"] * len(heading), *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    notes = [f"Means over cases; rules of {first.profile}."]
    if any(
        value is None for one in facts.scores.values() for row in one.mean.values() for value in row.values()
    ):
        notes.append("-: not finite, as a distance is where a region is in one of both maps only.")
    if missing := [str(fold) for fold in folds if fold not in facts.scores]:
        notes.append(f"Not validated: fold {', '.join(missing)}.")
    if problems := sum(scores.problems for scores in facts.scores.values()):
        notes.append(f"{count_of(problems, 'case')} without a valid map, which count as 0.")
    return f"{' '.join(notes)}\n\n{table}"


def _mean(scores: Mapping[FoldNumber, FoldScores], region: str, metric: str) -> float | None:
    """The mean over folds, weighted by their cases; None where that of a fold is not finite."""
    total = 0.0
    for one in scores.values():
        value = one.mean[region][metric]
        if value is None:
            # Without this fold, the mean would be of fewer cases than the row states
            return None
        total += value * one.cases
    return total / sum(one.cases for one in scores.values())


def _curves(facts: CardFacts) -> list[str]:
    drawn: list[FoldNumber] = [fold for fold in facts.folds if (facts.run.fold(fold).root / CURVES).is_file()]
    return [f"![loss, Dice and learning rate of fold {fold}]({curves_name(facts, fold)})" for fold in drawn]


def _environment(run: RunFolder, folds: Sequence[FoldNumber]) -> str:
    """Device and versions of each fold, once for those that are equal."""
    by_content: dict[str, list[str]] = {}
    for fold in folds:
        file = run.fold(fold).environment
        content = read_json(file, EnvironmentFault) if file.is_file() else {}
        known = content if isinstance(content, dict) else {}
        text = ", ".join(f"{name} {value}" for name, value in known.items())
        by_content.setdefault(printable(text) or "unknown", []).append(str(fold))
    return _list({f"Fold {', '.join(names)}": text for text, names in by_content.items()})


def _list(values: Mapping[str, str]) -> str:
    return "\n".join(f"- {name}: {printable(value)}" for name, value in values.items())


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
