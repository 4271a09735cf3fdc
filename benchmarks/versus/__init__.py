"""nnU-Net, MONAI and segcube side by side: the same weights, the same cases, in one run."""
