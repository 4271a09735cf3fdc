"""End with an error where the mean Dice of a region is below a bound: SCORES REGION BOUND."""

import json
import sys
from pathlib import Path


def main() -> None:
    """Compare, and exit with a message below the bound."""
    file, region, bound = sys.argv[1:]
    dice = json.loads(Path(file).read_text())["mean"][region]["dice"]
    print(f"mean Dice of {region}: {dice:.3f}")
    if dice < float(bound):
        sys.exit(f"{file}: mean Dice of {region} {dice:.3f}; expected at least {bound}")


if __name__ == "__main__":
    main()
