"""What a case's tumour is like, drawn from the ranges of its kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np

Choice = TypeVar("Choice", bound=str)
Pattern = Literal["none", "rim", "solid", "patchy", "focus"]
Site = Literal["lobes", "temporal", "midline", "cerebellum", "junction", "surface"]


@dataclass(frozen=True)
class Enhancement:
    """Where the core takes up contrast agent."""

    pattern: Pattern
    rim_mm: float = 3.0
    share: float = 0.5
    """Of the core, for patches; of the rim, what is not broken."""


@dataclass(frozen=True)
class Nodules:
    """Round lesions, each with its edema."""

    count: int
    radius_mm: tuple[float, float]
    """Smallest and largest, log-uniform."""
    reach_mm: tuple[float, float]
    """Edema beyond the largest; it is in proportion to the radius."""
    site: Site


@dataclass(frozen=True)
class Plan:
    """A tumour's size and composition."""

    site: Site = "lobes"
    volume_ml: float = 0.0
    """Of the whole infiltrating lesion; 0 for nodules alone."""
    seeds: int = 1
    rate: float = 0.15
    """Growth against diffusion: low for a diffuse front, high for a sharp one."""
    fibre: float = 8.0
    """How much faster it spreads in white matter than in grey matter."""
    core_share: float = 0.5
    """Of the volume."""
    edge_mm: float = 2.0
    """Deviation of the irregular border, `edge_scale_mm` long."""
    edge_scale_mm: float = 12.0
    spare_grey_mm: float = 2.0
    """How much less far edema reaches in cortex."""
    fade_mm: float = 5.0
    """Width of the border of edema in the image."""
    enhancement: Enhancement = Enhancement("none")
    cyst_share: float = 0.0
    blood_share: float = 0.0
    cavity_share: float = 0.0
    """Of the core."""
    nodules: tuple[Nodules, ...] = ()
    push: float = 0.2
    """Displacement at the core's border against its radius."""
    age_span: tuple[float, float] = (0.0, 1.0)
    is_stripped: bool = True
    """Whether the skull is removed from the image."""


def draw_plan(rng: np.random.Generator, kind: str) -> Plan:
    """Draw the tumour of a kind in `KINDS`."""
    return KINDS[kind](rng)


def _glioma(rng: np.random.Generator) -> Plan:
    """Adult glioma: low grade, glioblastoma, or infiltrating with little core.

    Volumes of 7 to 240 ml, within the 5 to 250 ml of surgical series; about two thirds of large cohorts
    enhance, the rest are low grades and infiltrating parts. 29 % are temporal (Larjavaara 2007).
    """
    grade = _choose(rng, {"low": 0.4, "high": 0.42, "diffuse": 0.18})
    large = rng.random() < 0.65
    volume = rng.uniform(30, 240) if large else np.exp(rng.uniform(np.log(7), np.log(120)))
    shares = {"low": (0.25, 0.97), "high": (0.12, 0.75), "diffuse": (0.0, 0.1)}[grade]
    pattern: Pattern = "none"
    if grade == "high":
        pattern = _choose(rng, {"rim": 0.5, "solid": 0.2, "patchy": 0.2, "focus": 0.1})
    elif rng.random() < 0.35:
        pattern = _choose(rng, {"patchy": 0.4, "focus": 0.6})
    plan = Plan(
        volume_ml=float(volume),
        seeds=int(rng.choice([1, 2, 3], p=[0.65, 0.22, 0.13])),
        rate=rng.uniform(0.04, 0.2),
        fibre=rng.uniform(5, 20),
        core_share=rng.uniform(*shares),
        edge_mm=rng.uniform(1.0, 4.0),
        edge_scale_mm=rng.uniform(9, 18),
        spare_grey_mm=rng.uniform(0, 3.5) if grade != "low" else rng.uniform(0, 1),
        fade_mm=rng.uniform(2, 10) if grade != "low" else rng.uniform(2, 5),
        enhancement=_enhancement(rng, pattern, few=grade != "high"),
        cyst_share=_sometimes(rng, 0.2, (0.1, 0.5)),
        blood_share=_sometimes(rng, 0.1, (0.05, 0.3)),
        push=rng.uniform(0.0, 0.45),
    )
    nodules = _foci(rng, pattern != "none")
    return replace(plan, nodules=nodules, site=_choose(rng, {"temporal": 0.3, "lobes": 0.7}))


def _treated_glioma(rng: np.random.Generator) -> Plan:
    """Glioma after surgery: mostly a cavity, with remains of tumour and of edema around it."""
    plan = _glioma(rng)
    volume = float(np.exp(rng.uniform(np.log(15), np.log(160))))
    return replace(
        plan,
        volume_ml=volume,
        core_share=rng.uniform(0.15, 0.6),
        cavity_share=rng.uniform(0.25, 0.9) if rng.random() < 0.75 else 0.0,
        enhancement=_enhancement(rng, _choose(rng, {"rim": 0.5, "patchy": 0.3, "none": 0.2})),
        cyst_share=0.0,
        push=rng.uniform(-0.1, 0.15),
    )


def _paediatric(rng: np.random.Generator) -> Plan:
    """Paediatric high-grade and diffuse midline glioma: mostly core, often without enhancement."""
    site: Site = _choose(rng, {"midline": 0.6, "cerebellum": 0.2, "lobes": 0.2})
    pattern: Pattern = _choose(rng, {"none": 0.3, "patchy": 0.4, "rim": 0.2, "solid": 0.1})
    return replace(
        _glioma(rng),
        site=site,
        volume_ml=float(np.exp(rng.uniform(np.log(8), np.log(90)))),
        seeds=1,
        core_share=rng.uniform(0.5, 0.97),
        spare_grey_mm=rng.uniform(0, 1.0),
        enhancement=_enhancement(rng, pattern, few=True),
        cyst_share=_sometimes(rng, 0.45, (0.05, 0.5)),
        blood_share=_sometimes(rng, 0.1, (0.05, 0.2)),
        nodules=(),
        age_span=(0.0, 0.15),
    )


def _metastases(rng: np.random.Generator) -> Plan:
    """Metastases: one to many round lesions at the border of grey and white matter, each with its edema."""
    count = int(np.clip(np.exp(rng.normal(1.1, 0.9)), 1, 25))
    largest = float(np.exp(rng.uniform(np.log(4), np.log(20))))
    nodules = Nodules(count, (1.8, largest), (0.0, rng.uniform(2, 22)), "junction")
    return Plan(
        edge_mm=rng.uniform(0.3, 1.2),
        edge_scale_mm=rng.uniform(8, 14),
        spare_grey_mm=rng.uniform(1.5, 4),
        fade_mm=rng.uniform(2, 8),
        enhancement=_enhancement(rng, _choose(rng, {"rim": 0.6, "solid": 0.4})),
        blood_share=_sometimes(rng, 0.15, (0.05, 0.3)),
        nodules=(nodules,),
        push=rng.uniform(0.0, 0.35),
        age_span=(0.3, 1.0),
    )


def _treated_metastases(rng: np.random.Generator) -> Plan:
    """Metastases, in half of the cases with the cavity of a resected one."""
    plan = _metastases(rng)
    if rng.random() < 0.5:
        return plan
    cavity = Plan(
        volume_ml=float(np.exp(rng.uniform(np.log(8), np.log(60)))), core_share=rng.uniform(0.3, 0.7)
    )
    return replace(
        plan,
        volume_ml=cavity.volume_ml,
        core_share=cavity.core_share,
        cavity_share=rng.uniform(0.4, 0.9),
        push=0.0,
    )


def _meningioma(rng: np.random.Generator) -> Plan:
    """Meningioma: a round enhancing mass on the dura that presses the brain away, with or without edema."""
    largest = float(np.exp(rng.uniform(np.log(7), np.log(30))))
    reach = 0.0 if rng.random() < 0.35 else rng.uniform(3, 22)
    count = 1 if rng.random() < 0.85 else 2
    return Plan(
        edge_mm=rng.uniform(0.2, 1.2),
        edge_scale_mm=rng.uniform(9, 16),
        spare_grey_mm=rng.uniform(1.5, 4),
        fade_mm=rng.uniform(2, 8),
        enhancement=Enhancement("solid", share=rng.uniform(0.75, 0.995)),
        cyst_share=_sometimes(rng, 0.1, (0.02, 0.15)),
        nodules=(Nodules(count, (largest, largest), (reach, reach), "surface"),),
        push=rng.uniform(0.25, 0.6),
        age_span=(0.2, 1.0),
    )


def _radiotherapy(rng: np.random.Generator) -> Plan:
    """Meningioma for radiotherapy planning: the head is not stripped of its skull."""
    return replace(_meningioma(rng), is_stripped=False)


def _mixed(rng: np.random.Generator) -> Plan:
    """Any untreated tumour."""
    kind = _choose(rng, {"glioma": 0.4, "metastases": 0.2, "meningioma": 0.2, "paediatric": 0.2})
    return draw_plan(rng, kind)


KINDS: dict[str, Callable[[np.random.Generator], Plan]] = {
    "glioma": _glioma,
    "treated-glioma": _treated_glioma,
    "paediatric": _paediatric,
    "metastases": _metastases,
    "treated-metastases": _treated_metastases,
    "meningioma": _meningioma,
    "meningioma-radiotherapy": _radiotherapy,
    "mixed": _mixed,
}
"""The kinds of tumours that a challenge's YAML may name."""


def _enhancement(rng: np.random.Generator, pattern: Pattern, few: bool = False) -> Enhancement:
    share = {
        "none": (0.0, 0.0),
        "rim": (0.45, 1.0),
        "solid": (0.7, 0.98),
        "focus": (0.5, 0.95),
        "patchy": (0.02, 0.2) if few else (0.15, 0.6),
    }[pattern]
    return Enhancement(pattern, rim_mm=rng.uniform(1.0, 6.0), share=rng.uniform(*share))


def _foci(rng: np.random.Generator, enhances: bool) -> tuple[Nodules, ...]:
    """Satellites of the core, and patches of edema alone, in some cases."""
    foci: list[Nodules] = []
    if rng.random() < 0.25 and enhances:
        foci.append(Nodules(int(rng.integers(1, 4)), (2.0, 6.0), (0.0, 8.0), "lobes"))
    if rng.random() < 0.45:
        foci.append(Nodules(int(rng.integers(1, 4)), (0.0, 0.0), (3.0, 9.0), "lobes"))
    return tuple(foci)


def _sometimes(rng: np.random.Generator, chance: float, limits: tuple[float, float]) -> float:
    value = rng.uniform(*limits)
    return value if rng.random() < chance else 0.0


def _choose(rng: np.random.Generator, chances: dict[Choice, float]) -> Choice:
    return list(chances)[int(rng.choice(len(chances), p=list(chances.values())))]
