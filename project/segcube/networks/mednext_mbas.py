"""The MedNeXts of anenbergb/MBAS: free in features, kernels, strides and blocks of each stage."""

from __future__ import annotations

import torch
from torch import nn

from segcube.networks.blocks import MBASBlock, chain
from segcube.networks.mbas_parts import (
    decoder_plan,
    make_head,
    make_stem_v1,
    make_stem_v2,
    make_way_back,
    make_way_up,
    stage_plan,
    striding_plan,
)
from segcube.networks.mednext_arguments import MBASArguments, MedNeXtV1MBASArguments, MedNeXtV2MBASArguments


class Encoder(nn.Module):
    """A stem and stages; gives the features of every stage, full resolution first."""

    def __init__(self, stem: nn.Module, stages: list[nn.Sequential]) -> None:
        super().__init__()
        self.stem = stem
        self.stages = nn.ModuleList(stages)

    def forward(self, image_ncxyz: torch.Tensor) -> list[torch.Tensor]:
        """image_ncxyz: (N, C, X, Y, Z)."""
        x = self.stem(image_ncxyz)
        features: list[torch.Tensor] = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


class Decoder(nn.Module):
    """Stages on the way up, with a head each; V1 has one at the bottleneck too, and a way back of the stem.

    It registers the encoder, as the published one does: checkpoints name the encoder's parameters twice.
    """

    def __init__(self, arguments: MBASArguments, encoder: Encoder) -> None:
        super().__init__()
        upwards = range(arguments.n_stages - 2, -1, -1)
        v1 = isinstance(arguments, MedNeXtV1MBASArguments)
        self.deep_supervision = arguments.deep_supervision
        self.concatenate = arguments.concatenates
        self.encoder = encoder
        self.stages = nn.ModuleList(self._stage(arguments, stage) for stage in upwards)
        self.up_blocks = nn.ModuleList(make_way_up(arguments, stage) for stage in upwards)
        self.seg_layers = nn.ModuleList(
            make_head(arguments, stage) for stage in ((arguments.n_stages - 1, *upwards) if v1 else upwards)
        )
        self.decode_stem_seg = make_way_back(arguments) if v1 else None

    @staticmethod
    def _stage(arguments: MBASArguments, stage: int) -> nn.Sequential:
        first, rest = decoder_plan(arguments, stage)
        count = arguments.decoder_blocks[arguments.n_stages - 2 - stage]
        return nn.Sequential(MBASBlock(first), *chain(MBASBlock, rest, count - 1))

    def forward(self, features: list[torch.Tensor]) -> torch.Tensor | list[torch.Tensor]:
        """features: as the encoder gives them, emptied here so that memory is free early."""
        supervised = self.training and self.deep_supervision
        x = features.pop()
        extra = len(self.seg_layers) - len(self.stages)
        heads = list(self.seg_layers)
        outputs = [head(x) for head in heads[:extra] if supervised]
        for up_block, stage, head in zip(self.up_blocks, self.stages, heads[extra:], strict=True):
            x = stage(self._join(up_block(x), features.pop()))
            if supervised:
                outputs.append(head(x))
        if self.decode_stem_seg is not None:
            outputs.append(self.decode_stem_seg(x))
        elif not supervised:
            outputs.append(heads[-1](x))
        return outputs[::-1] if supervised else outputs[0]

    def _join(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, skip], dim=1) if self.concatenate else x + skip


class MBASMedNeXt(nn.Module):
    """Encoder and decoder; takes (N, C, X, Y, Z), each axis a multiple of the strides' product.

    Gives logits (N, K, X, Y, Z); in training with deep supervision a list of them, full resolution first.
    """

    def __init__(self, arguments: MBASArguments, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = Decoder(arguments, encoder)

    def forward(self, image_ncxyz: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """Logits at full resolution; in training with deep supervision those of the lower stages too."""
        return self.decoder(self.encoder(image_ncxyz))


class MedNeXtV1MBAS(MBASMedNeXt):
    """MBAS's `MedNeXt`: every stage begins with a stem or a striding block, before its counted blocks."""

    def __init__(self, arguments: MedNeXtV1MBASArguments) -> None:
        stages = [self._stage(arguments, stage) for stage in range(arguments.n_stages)]
        super().__init__(arguments, Encoder(nn.Identity(), stages))

    @staticmethod
    def _stage(arguments: MedNeXtV1MBASArguments, stage: int) -> nn.Sequential:
        begin = make_stem_v1(arguments) if stage == 0 else MBASBlock(striding_plan(arguments, stage))
        return nn.Sequential(
            begin, *chain(MBASBlock, stage_plan(arguments, stage), arguments.n_blocks_per_stage[stage])
        )


class MedNeXtV2MBAS(MBASMedNeXt):
    """MBAS's `MedNeXtV2`: a stem at full resolution, then stages whose first block strides."""

    def __init__(self, arguments: MedNeXtV2MBASArguments) -> None:
        stem = make_stem_v2(arguments)
        stages = [self._stage(arguments, stage) for stage in range(arguments.n_stages)]
        super().__init__(arguments, Encoder(stem, stages))

    @staticmethod
    def _stage(arguments: MedNeXtV2MBASArguments, stage: int) -> nn.Sequential:
        first = MBASBlock(striding_plan(arguments, stage))
        count = arguments.n_blocks_per_stage[stage]
        return nn.Sequential(first, *chain(MBASBlock, stage_plan(arguments, stage), count - 1))
