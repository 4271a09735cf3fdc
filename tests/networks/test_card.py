from pathlib import Path

import pytest

from segcube.core import EnvironmentFault
from segcube.networks import NetworkCard
from segcube.networks.card import decode_card, encode_card

FILE = Path("weights.safetensors")


def test_a_card_survives_encoding():
    card = NetworkCard("MedNeXtV1", {"in_channels": 1, "exp_r": [1, 2]}, "0.1.0", "made by hand")
    assert decode_card(encode_card(card), FILE) == card


def test_the_order_of_arguments_does_not_change_the_card():
    cards = [NetworkCard("N", {"a": 1, "b": 2}, "0"), NetworkCard("N", {"b": 2, "a": 1}, "0")]
    assert encode_card(cards[0]) == encode_card(cards[1])


def test_the_card_is_one_entry():
    assert len(encode_card(NetworkCard("N", {}, "0"))) == 1


def test_a_file_without_a_card_is_refused():
    with pytest.raises(
        EnvironmentFault, match=r"weights.safetensors: has no network card; expected .*import it"
    ):
        decode_card({"format": "pt"}, FILE)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not json", "broken at the start"),
        ('{"network": "N", "arguments": [], "version": "0"}', "broken at arguments"),
        ('{"network": "N", "arguments": {}}', "broken at version"),
    ],
)
def test_a_broken_card_is_refused(text, words):
    with pytest.raises(EnvironmentFault, match=words):
        decode_card({"segcube": text}, FILE)
