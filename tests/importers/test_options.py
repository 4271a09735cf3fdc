import pytest
import yaml

from segcube.core import UsageError
from segcube.importers import parse_labels, parse_names, read_target
from segcube.spec.challenges import load_challenge


def test_names_are_split_at_commas():
    assert parse_names(" t1c, t2w ,") == ("t1c", "t2w")
    assert parse_names("") == ()


def test_labels_are_names_with_values():
    assert parse_labels("wall=1, RA = 2") == {"wall": 1, "RA": 2}
    assert parse_labels("") == {}


def test_broken_labels_are_refused():
    for text in ("wall", "=1", "wall=x", "wall=-1", "wall=1,wall=2", "wall=1,RA=1"):
        with pytest.raises(UsageError, match="--labels"):
            parse_labels(text)


def test_a_challenge_is_named_by_its_key_or_its_file(tmp_path):
    assert read_target("mbas2024").reference == "mbas2024"
    own = tmp_path / "own.yaml"
    own.write_text(yaml.safe_dump(load_challenge("mbas2024").model_dump(mode="json") | {"key": "own"}))
    target = read_target(str(own))
    assert (target.reference, target.challenge.key, target.file) == ("own.yaml", "own", own)


def test_an_unknown_challenge_is_refused():
    with pytest.raises(UsageError, match="unknown challenge 'brats1999'"):
        read_target("brats1999")
