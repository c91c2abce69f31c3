"""wifidogd as its own .tac file has it, but for a signal: USR1 blocks the reactor for as long as the test says."""

import os
import runpy
import signal
import time
from pathlib import Path

application = runpy.run_path(str(Path(__file__).parents[3] / "wifidogd.tac"))["application"]

signal.signal(signal.SIGUSR1, lambda *_: time.sleep(float(os.environ["BLOCKED_FOR"])))
