"""The results as a page of the documentation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from versus.goals import Verdict
from versus.machine import Machine
from versus.models import Imported
from versus.results import RowResult
from versus.specs import Row
from versus.summary import HEAD, RATES_HEAD, STEPS_HEAD, left_out, lines, rate_lines, step_lines, title

INTRODUCTION = """# Speed

`make bench` writes this page: nnU-Net's command line as it comes (`nnUNetv2_predict_from_modelfolder`), the
same with glibc told to keep its memory (`MALLOC_MMAP_THRESHOLD_`, `MALLOC_TRIM_THRESHOLD_`), MONAI's
`sliding_window_inference` in a plain loop, and `segcube infer`, on the same random weights and the same
cases, in turn, round after round. Wall time is that of the whole command, from its start to its end; peak
memory that of its whole process tree, pages that processes share counted once. A ratio is taken pair by pair
within a round; of several rounds the tables give the median and the range. Labels are compared with
nnU-Net's: of the voxels that are foreground in either map, the share that differs, and the mean Dice.
MONAI lays its windows otherwise, so its labels are further off.
"""
LEFT_OUT = """`make bench` holds more than this page shows. Left out of this run, or impossible on this
machine (bf16 on a processor without bfloat16):
"""
STEPS = """## Where segcube's time goes

Mean seconds of a case; "all" is the wall time of the run. The next case is read (for a GPU, which is soon
done, the next three are read and prepared), and the last one written, while networks run.

How it grows: "forwards" with windows x members x mirrors, and the windows with the voxels of the crop (at an
overlap of 0.5 they cover a large one eight times). "read", "prepare", "labels" and "write" grow with the
voxels of the scan, whatever the members and mirrors; "rest of sliding", which cuts, mirrors and sums windows,
with windows x mirrors x output channels (and members, where their logits are not summed); our own kernels for
a CPU add logits to the sum as they make them, within the forwards, and leave what grows with the crop. A run
of many cases takes start and end once, and then "prepare", sliding and "labels" a case. Memory is one
network's working memory, the weights of every member, the case, the cases that are read meanwhile, and a sum
of a float a voxel and output channel; where labels alone are asked for and one sum decides them (a label
model that isn't resampled and has one branch, of one member or of summed logits), it holds a window's planes,
and those that no window is left for are decided while others run, within "rest of sliding". Where OpenVINO's
kernels or a GPU's serve, weights are packed once and stay; our own for a CPU read them where the file is
mapped, and of folds whose logits are summed each is let go after its turn in a window and mapped again for
the next.
"""
RATES = """How near the forwards come to what this machine can do: torch's product of two matrices of 2048 x
2048 in fp32 makes {rate}e9 multiply-adds a second here. Multiply-adds are counted as the convolutions are
written; Winograd's way takes fewer, and so passes that rate.
"""


def write_page(
    file: Path,
    machine: Machine,
    results: Sequence[RowResult],
    matrix: Sequence[Row],
    judged: Sequence[Verdict],
) -> None:
    """Write the page; its picture lies beside it. matrix: what a whole run of the bench holds."""
    picture = file.with_suffix(".png")
    parts = [INTRODUCTION, machine.told() + "\n"]
    if missing := left_out(results, matrix):
        parts.append(LEFT_OUT + "\n" + "".join(f"- {line}\n" for line in missing))
    parts.append(f"![Wall time and peak memory of each contestant]({picture.name})\n")
    for result in results:
        parts.append(f"**{title(result)}**\n\n{_table(HEAD, lines(result))}")
    parts.append(STEPS)
    parts.append(_table(STEPS_HEAD, step_lines(results)))
    rates = rate_lines(results, machine)
    if rates:
        parts.append(RATES.format(rate=f"{machine.products:.0f}") + "\n" + _table(RATES_HEAD, rates))
    parts.append(_imports(results))
    verdicts = [(v.what, v.found, v.goal, "yes" if v.met else "**no**") for v in judged]
    parts.append("## What must hold\n\n" + _table(("what", "found", "goal", "met"), verdicts))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(parts))


def _imports(results: Sequence[RowResult]) -> str:
    """What bringing a model in takes, once for each number of its folds."""
    found = {(result.row.plan.name, result.row.folds): result.imported for result in results}
    rows = [
        (f"{name}, {folds} fold{'s' * (folds > 1)}", *_numbers(imported))
        for (name, folds), imported in found.items()
    ]
    head = ("model", "`segcube import`, s", "weights, MB", "beside them, MB")
    return "Importing a model, and compiling it for the CPU, once:\n\n" + _table(head, rows)


def _numbers(imported: Imported) -> tuple[str, ...]:
    sizes = (f"{size / 1e6:.1f}" for size in (imported.weight_bytes, imported.compiled_bytes))
    return f"{imported.seconds:.1f}", *sizes


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, rule, *rows))
