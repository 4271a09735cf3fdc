"""CUDA: captured graphs and the project's own kernels."""
