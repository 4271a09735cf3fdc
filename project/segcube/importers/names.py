"""Match the names of a source's channels, labels and regions to those of a challenge."""

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
"""Names of the same thing, reduced to lower-case letters and digits."""
CHANNEL_NUMBER = re.compile(r"_\d{4}$")


def same_name(found: str, names: Iterable[str]) -> str | None:
    """Return the name of the same thing: an equal one or a synonym; None where none or several are."""
    candidates = _candidates(found, {name: (name,) for name in names})
    return candidates[0] if len(candidates) == 1 else None


def match_channels(found: Sequence[str], challenge: Challenge, given: Sequence[str] = ()) -> tuple[str, ...]:
    """Name each channel of the source as the challenge does, in the source's order.

    found: the source's names. given: the option's names, which replace them. Raises UsageError with both
    lists when a name is ambiguous or unknown, or when the option does not fit.
    """
    known = {channel.name: (channel.name, *channel.suffixes) for channel in challenge.channels}
    if given:
        if len(given) != len(found) or not set(given) <= set(known) or len(set(given)) != len(given):
            raise UsageError(
                f"--channels {','.join(given)} for the source's {len(found)} channels {', '.join(found)}",
                expected="each of them once, as one of " + ", ".join(known),
            )
        return tuple(given)
    if len(found) == len(known) == 1:
        return tuple(known)
    order = ",".join(known)
    return _match(found, known, "channels", f"name them in the source's order, such as --channels {order}")


def match_labels(
    found: Mapping[int, str], challenge: Challenge, given: Mapping[str, int] | None = None
) -> dict[int, str]:
    """Name each label value of the source as the challenge does, background included.

    found: the source's name of each value. given: the option's names and values, which replace them. Raises
    UsageError with both lists when a name is ambiguous or unknown, or when the option does not fit.
    """
    values = [value for value in found if value != 0]
    labels = [name for name in challenge.labels if name != BACKGROUND]
    if given:
        if set(given.values()) != set(values) or not set(given) <= set(labels):
            option = ",".join(f"{name}={value}" for name, value in given.items())
            source = ", ".join(f"{name}={value}" for value, name in found.items())
            expected = "each of their values once, named as one of " + ", ".join(labels)
            raise UsageError(f"--labels {option} for the source's labels {source}", expected=expected)
        names = {value: name for name, value in given.items()}
    elif len(values) == len(labels) == 1:
        names = {values[0]: labels[0]}
    else:
        known = {name: (name,) for name in labels}
        matched = _match([found[value] for value in values], known, "labels", "name them with --labels")
        names = dict(zip(values, matched, strict=True))
    return {0: BACKGROUND, **names}


def match_regions(found: Sequence[str], challenge: Challenge) -> tuple[str, ...]:
    """Name each region of the source as the challenge does, in the source's order.

    Raises UsageError with both lists when a name is ambiguous or unknown.
    """
    known = {name: (name,) for name in challenge.regions}
    return _match(found, known, "regions", "use a challenge file that has them")


def _match(found: Sequence[str], known: Mapping[str, Iterable[str]], kind: str, hint: str) -> tuple[str, ...]:
    """known: spellings of each of the challenge's names."""
    candidates = [_candidates(source, known) for source in found]
    names = tuple(names[0] for names in candidates if len(names) == 1)
    if len(names) != len(found) or len(set(names)) != len(names):
        message = f"the source's {kind} are {', '.join(found)}"
        raise UsageError(message, expected=f"names that match the challenge's {', '.join(known)}", hint=hint)
    return names


def _candidates(source: str, known: Mapping[str, Iterable[str]]) -> list[str]:
    word = _reduced(CHANNEL_NUMBER.sub("", source))
    spellings = {name: {_reduced(text) for text in texts} for name, texts in known.items()}
    # An exact match comes before synonyms: a challenge may have two names of one group
    exact = [name for name, words in spellings.items() if word in words]
    group = next((group for group in SYNONYMS if word in group), frozenset[str]())
    return exact or [name for name, words in spellings.items() if words & group]


def _reduced(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
