"""Runs over folders of cases, and sessions for Python."""

from segcube.runs.folder import run_folder
from segcube.runs.request import Request
from segcube.runs.session import Session, load_submission

__all__ = ["Request", "Session", "load_submission", "run_folder"]
