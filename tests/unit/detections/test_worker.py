"""What runs on a worker, where pySigma is not installed. These tests run in every environment."""

from __future__ import annotations

import os
import subprocess
import sys

from oktalogger.detections.bundle import load_detections
from oktalogger.detections.model import MonitorSettings
from oktalogger.detections.monitors.render import render_monitor
from oktalogger.opensearch.names import IndexNames
from oktalogger.resources import include_dir


def test_the_pack_becomes_monitors_from_its_bundle_alone() -> None:
    detections = load_detections(include_dir() / "detections")
    bodies = [
        render_monitor(detection, names=IndexNames(), channel_ids={}, settings=MonitorSettings()).body
        for detection in detections
    ]
    assert len(bodies) >= 32
    assert len({body["name"] for body in bodies}) == len(bodies)


def test_nothing_that_a_worker_imports_needs_pysigma() -> None:
    code = (
        "import sys; sys.modules['sigma'] = None\n"
        "from oktalogger.cli import detections\n"
        "from oktalogger.detections import bundle\n"
        "from oktalogger.detections.monitors import render\n"
        "from oktalogger.detections.replay import matches, search\n"
        "from oktalogger.detections.rules import compiler\n"
        "from oktalogger.detections.testing import run\n"
        "from oktalogger.resources import include_dir\n"
        "print(len(bundle.load_detections(include_dir() / 'detections')))\n"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environ)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 32
