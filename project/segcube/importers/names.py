"""Match the names of a source's channels, labels and regions to a challenge's, where that is plain."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from segcube.core import UsageError
from segcube.spec.challenges import BACKGROUND, Challenge

SYNONYMS: tuple[frozenset[str], ...] = tuple(
    frozenset(names.split())
    for names in (
        "t2f flair t2flair t2fl fla",
        "t1c t1ce t1gd t1post t1contrast t1contrastenhanced ce",
        "t1n t1 t1w t1native t1pre",
        "t2w t2",
        "lge mri gt image",
        "ncr netc net ncrnet necrosis necrotic necroticcore necrotictumorcore nonenhancing nonenhancingtumor"
        " nonenhancingtumorcore",
        "ed snfh edema oedema peritumoraledema peritumoraloedema invadedtissue",
        "et at enhancing enhancingtumor enhancingtumour activetumor",
        "rc resection resectioncavity cavity",
        "cc cyst cystic cysticcomponent",
        "wt wholetumor wholetumour whole",
        "tc tumorcore tumourcore core",
        "gtv tumor tumour grosstumorvolume",
        "wall atrialwall biatrialwall",
        "ra rightatrium rightatriumcavity racavity",
        "la leftatrium leftatriumcavity lacavity",
    )
)
"""Spellings of the same thing: small letters and digits alone."""
NUMBER_OF_CHANNEL = re.compile(r"_\d{4}$")


def match_channels(found: Sequence[str], challenge: Challenge, given: Sequence[str] = ()) -> tuple[str, ...]:
    """The challenge's name of each channel of the source, in the source's order.

    found: the source's names. given: the option's, which overrule. Raises UsageError with the two lists when
    a name is not plain, and for a count or name of the option that does not fit.
    """
    own = {channel.name: (channel.name, *channel.suffixes) for channel in challenge.channels}
    if given:
        if len(given) != len(found) or not set(given) <= set(own) or len(set(given)) != len(given):
            raise UsageError(
                f"--channels {','.join(given)} for the source's {len(found)} channels {_listed(found)}",
                expected="each of them once, as one of " + _listed(own),
            )
        return tuple(given)
    if len(found) == len(own) == 1:
        return tuple(own)
    return _matched(found, own, "channels", "say them with --channels")


def match_labels(
    found: Mapping[int, str], challenge: Challenge, given: Mapping[str, int] | None = None
) -> dict[int, str]:
    """The challenge's name of each label value of the source, the background's included.

    found: the source's name of each value. given: the option's names and values, which overrule. Raises
    UsageError with the two lists when a name is not plain or does not fit.
    """
    values = [value for value in found if value != 0]
    labels = [name for name in challenge.labels if name != BACKGROUND]
    if given:
        if set(given.values()) != set(values) or not set(given) <= set(labels):
            told = ",".join(f"{name}={value}" for name, value in given.items())
            raise UsageError(
                f"--labels {told} for the source's labels {_told(found)}",
                expected="each of their values once, named as one of " + _listed(labels),
            )
        names = {value: name for name, value in given.items()}
    elif len(values) == len(labels) == 1:
        names = {values[0]: labels[0]}
    else:
        own = {name: (name,) for name in labels}
        matched = _matched([found[value] for value in values], own, "labels", "say them with --labels")
        names = dict(zip(values, matched, strict=True))
    return {0: BACKGROUND, **names}


def match_regions(found: Sequence[str], challenge: Challenge) -> tuple[str, ...]:
    """The challenge's name of each region of the source, in the source's order.

    Raises UsageError with the two lists when a name is not plain.
    """
    own = {name: (name,) for name in challenge.regions}
    return _matched(found, own, "regions", "use a challenge file that has them")


def _matched(found: Sequence[str], own: Mapping[str, Iterable[str]], kind: str, hint: str) -> tuple[str, ...]:
    matches = [_fitting(source, own) for source in found]
    names = tuple(names[0] for names in matches if len(names) == 1)
    if len(names) != len(found) or len(set(names)) != len(names):
        raise UsageError(
            f"the source's {kind} are {_listed(found)}",
            expected=f"names that match the challenge's {_listed(own)}",
            hint=hint,
        )
    return names


def _fitting(source: str, own: Mapping[str, Iterable[str]]) -> list[str]:
    word = _plain(NUMBER_OF_CHANNEL.sub("", source))
    known = {name: {_plain(spelling) for spelling in spellings} for name, spellings in own.items()}
    # The very name goes before its synonyms: a challenge may hold two of them
    same = [name for name, words in known.items() if word in words]
    group = next((group for group in SYNONYMS if word in group), frozenset[str]())
    return same or [name for name, words in known.items() if words & group]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _told(labels: Mapping[int, str]) -> str:
    return ", ".join(f"{name}={value}" for value, name in labels.items())


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
