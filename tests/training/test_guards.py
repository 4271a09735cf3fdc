import os
import subprocess

import pytest

from segcube.core import UsageError
from segcube.training.guards import Divergence, TrainingFault, lock_fold, more_parts


def test_a_fold_is_trained_by_one_process_at_a_time(tmp_path):
    with (
        lock_fold(tmp_path),
        pytest.raises(UsageError, match=f"process {os.getpid()} trains"),
        lock_fold(tmp_path),
    ):
        pass
    with lock_fold(tmp_path):
        pass


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    holder = "import fcntl,os,sys; f=open(sys.argv[1],'a+'); fcntl.flock(f, 2); os.kill(os.getpid(), 9)"
    subprocess.run(["python3", "-c", holder, str(tmp_path / "lock")], check=False)
    with lock_fold(tmp_path):
        pass


def test_a_batch_is_halved_until_single_samples():
    assert [more_parts(1, 4, divisible=True), more_parts(2, 3, divisible=True)] == [2, 3]
    with pytest.raises(TrainingFault, match="single sample"):
        more_parts(2, 2, divisible=True)


def test_divergence_is_reported_once_until_it_ends():
    watch = Divergence()
    losses = [1.0] * 10 + [200.0] * 3 + [1.0] * 400 + [200.0]
    assert [index for index, loss in enumerate(losses) if watch.update(loss)] == [10, 413]
