"""MedNeXt v1, in the layout of MIC-DKFZ/MedNeXt."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from segcube.core import Shape
from segcube.networks.blocks import BlockPlan, MedNeXtBlock, named_sequence, repeat_block
from segcube.networks.mednext_arguments import MedNeXtV1Arguments

LEVELS = 4
"""Stages of the encoder, and of the decoder."""
STRIDE: Shape = (2, 2, 2)


class MedNeXtV1(nn.Module):
    """MedNeXt v1 (Roy et al. 2023, arXiv 2303.09975): parameter names and order as published.

    Input (N, C, X, Y, Z), each axis a multiple of 16. Returns logits (N, K, X, Y, Z); in training with deep
    supervision a list of them, full resolution first, each half the size of the one before.
    """

    def __init__(self, arguments: MedNeXtV1Arguments) -> None:
        super().__init__()
        self.arguments = arguments
        # Unused: published checkpoints hold it, from a workaround for torch's gradient checkpointing
        self.dummy_tensor = nn.Parameter(torch.ones(1))
        self.stem = nn.Conv3d(arguments.in_channels, arguments.n_channels, 1)
        for level in range(LEVELS):
            self.add_module(f"enc_block_{level}", self._stage(level))
            self.add_module(f"down_{level}", self._down(level))
        self.bottleneck = self._stage(LEVELS)
        for level in reversed(range(LEVELS)):
            self.add_module(f"up_{level}", self._up(level))
            self.add_module(f"dec_block_{level}", self._stage(2 * LEVELS - level))
        for level in range(LEVELS + 1 if arguments.deep_supervision else 1):
            head = nn.ConvTranspose3d(self._width(level), arguments.out_channels, 1)
            self.add_module(f"out_{level}", named_sequence(conv_out=head))

    def forward(self, image_ncxyz: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """Logits at full resolution; in training with deep supervision those of the lower levels too."""
        supervised = self.training and self.arguments.deep_supervision
        x = self.stem(image_ncxyz)
        skips: list[torch.Tensor] = []
        for level in range(LEVELS):
            x = self._run("enc_block", level, x)
            skips.append(x)
            x = self._run("down", level, x)
        x = self.bottleneck(x)
        outputs = [self._run("out", LEVELS, x)] if supervised else []
        for level in reversed(range(LEVELS)):
            x = self._run("dec_block", level, skips.pop() + self._run("up", level, x))
            if supervised or level == 0:
                outputs.append(self._run("out", level, x))
        return outputs[::-1] if supervised else outputs[0]

    def _run(self, part: str, level: int, x: torch.Tensor) -> torch.Tensor:
        return getattr(self, f"{part}_{level}")(x)

    def _width(self, level: int) -> int:
        return self.arguments.n_channels * 2**level

    def _stage(self, stage: int) -> nn.Sequential:
        arguments, level = self.arguments, min(stage, 2 * LEVELS - stage)
        plan = self._plan(stage, level, level, encoder=stage < LEVELS, has_residual=arguments.do_res)
        return repeat_block(MedNeXtBlock, plan, arguments.blocks[stage])

    def _down(self, level: int) -> MedNeXtBlock:
        has_residual = self.arguments.do_res_up_down
        plan = self._plan(level + 1, level, level + 1, encoder=True, has_residual=has_residual)
        # The published network has no response normalization in the first downsampling block
        return MedNeXtBlock(replace(plan, stride=STRIDE, response=plan.response and level > 0))

    def _up(self, level: int) -> MedNeXtBlock:
        stage, has_residual = 2 * LEVELS - level, self.arguments.do_res_up_down
        plan = self._plan(stage, level + 1, level, encoder=False, has_residual=has_residual)
        return MedNeXtBlock(replace(plan, stride=STRIDE, upsample=True))

    def _plan(self, stage: int, source: int, target: int, *, encoder: bool, has_residual: bool) -> BlockPlan:
        """Settings of a block from level `source` to `target`, with the expansion of a stage."""
        arguments = self.arguments
        size = arguments.encoder_kernel if encoder else arguments.decoder_kernel
        return BlockPlan(
            in_channels=self._width(source),
            out_channels=self._width(target),
            expansion=arguments.expansions[stage],
            kernel=(size, size, size),
            has_residual=has_residual,
            norm=arguments.norm,
            response=arguments.grn,
        )
