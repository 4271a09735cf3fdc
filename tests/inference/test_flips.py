from __future__ import annotations

from segcube.inference.ensemble import mirror_axes, mirrors


def test_no_axes_give_the_plain_view_alone():
    assert mirrors(()) == [()]


def test_all_combinations_once():
    assert mirrors((2, 0)) == [(), (0,), (2,), (0, 2)]
    assert len(mirrors((0, 1, 2))) == 8


def test_axes_follow_the_order_of_the_branch():
    assert mirror_axes(("x", "z"), "xyz") == (0, 2)
    assert mirror_axes(("x", "y"), "zyx") == (1, 2)
