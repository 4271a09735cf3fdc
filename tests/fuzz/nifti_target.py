"""A coverage-guided target for the reader; `make fuzz` runs it.

    python tests/fuzz/nifti_target.py [corpus folder] [libFuzzer's options, such as -max_total_time=600]

A finding is an error that is not a refusal, a volume that other readers read differently, or an input that
takes longer than -timeout seconds.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["segcube"]):
    from segcube.formats.nifti import affine, gzipped, header, stream  # noqa: F401

sys.path.insert(0, str(Path(__file__).parent))
from compare import read_and_compare

FOLDER = Path(tempfile.mkdtemp(prefix="segcube-fuzz-"))


def test_one_input(content: bytes) -> None:
    """Try the bytes as an uncompressed and as a compressed file."""
    for name in ("a.nii", "a.nii.gz"):
        read_and_compare(content, FOLDER / name)


def main() -> None:
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
