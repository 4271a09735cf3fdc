"""A coverage-guided target for the reader; `make fuzz` runs it, as long as it is left to.

    python tests/fuzz/nifti_target.py [corpus folder] [libFuzzer's options, such as -max_total_time=600]

A finding is an error that is no refusal, a volume that other readers do not read so, or an input that takes
longer than -timeout seconds.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["segcube"]):
    from segcube.formats.nifti import affine, gzipped, header, stream  # noqa: F401

sys.path.insert(0, str(Path(__file__).parent))
from judge import judge

FOLDER = Path(tempfile.mkdtemp(prefix="segcube-fuzz-"))


def test_one_input(content: bytes) -> None:
    """The bytes as a plain and as a packed file."""
    for name in ("a.nii", "a.nii.gz"):
        judge(content, FOLDER / name)


def main() -> None:
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
