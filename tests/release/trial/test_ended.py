from __future__ import annotations

import sys

from segcube.release.trial.engine import run_to_end


def test_both_streams_and_the_exit_code_are_kept():
    code = "import sys; print('out', flush=True); print('err', file=sys.stderr); sys.exit(3)"
    ended = run_to_end([sys.executable, "-c", code], 60)
    assert (ended.code, ended.log.split()) == (3, ["out", "err"])


def test_what_outlasts_its_limit_is_killed_and_what_it_said_is_kept():
    code = "import time; print('begun', flush=True); time.sleep(60)"
    ended = run_to_end([sys.executable, "-c", code], 2)
    assert (ended.code, ended.log.strip()) == (None, "begun")
    assert ended.seconds < 30
