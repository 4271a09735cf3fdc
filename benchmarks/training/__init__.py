"""nnU-Net's trainer and segcube's recipe `nnunet` side by side: the same plan, cases, steps and seeds."""
