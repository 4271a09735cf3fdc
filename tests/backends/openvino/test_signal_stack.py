import subprocess
import sys

import pytest

SIGNAL_AFTER_UNLOADING = """
import faulthandler
import signal
import sys
import threading

from segcube.backends.openvino.backend import _start_cpu_plugin

# Python's handlers, too, run on the alternate stack
faulthandler.enable()
signal.signal(signal.SIGTERM, lambda *_: None)
held = [_start_cpu_plugin()]
thread = threading.Thread(target=held.clear)
thread.start()
thread.join()
signal.raise_signal(signal.SIGTERM)
print("handled")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the plugin sets a signal stack on Linux alone")
def test_a_signal_is_handled_after_another_thread_unloaded_the_plugin():
    command = [sys.executable, "-c", SIGNAL_AFTER_UNLOADING]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "handled\n"), result.stderr
