// An instance norm with the addition and the rectifier behind it, in one pass over the image.
#pragma once
#include <algorithm>
#include <cstdint>

#include "input_norm.h"
#include "threads.h"

namespace segcube {

// out = leaky(input_norm(image) + residual_norm(residual)). Python fills it in; structs.py has the same fields.
struct NormArgs {
  const float* image;               // (channels, voxels)
  const InputNorm* input_norms;     // (channels)
  const float* residual;            // like the image, or null
  const InputNorm* residual_norms;  // (channels), or null
  float* out;
  int64_t voxels;
  float slope;  // below zero; 1 for no rectifier
  int32_t channels, threads;
};

inline void norm_channel(const NormArgs& args, int channel, int64_t first, int64_t end) {
  const InputNorm input_norm = args.input_norms[channel], rectifier{0, 1, 0, args.slope};
  const InputNorm residual_norm = args.residual_norms ? args.residual_norms[channel] : InputNorm{0, 1, 0, 1};
  const float* image = args.image + channel * args.voxels;
  const float* residual = args.residual ? args.residual + channel * args.voxels : nullptr;
  float* out = args.out + channel * args.voxels;
  int64_t i = first;
  if (residual)
    for (; i + LANES <= end; i += LANES)
      store(out + i, rectifier(input_norm(load(image + i)) + residual_norm(load(residual + i))));
  else
    for (; i + LANES <= end; i += LANES) store(out + i, rectifier(input_norm(load(image + i))));
  for (; i < end; i++) out[i] = rectifier(input_norm(image[i]) + (residual ? residual_norm(residual[i]) : 0.f));
}

inline void norm(const NormArgs& args) {
  constexpr int64_t PIECE = 1 << 16;
  const int pieces = static_cast<int>((args.voxels + PIECE - 1) / PIECE);
  on_threads(args.channels * pieces, args.threads, [&] {
    return [&](int piece) {
      const int64_t first = piece % pieces * PIECE;
      norm_channel(args, piece / pieces, first, std::min(args.voxels, first + PIECE));
    };
  });
}

}  // namespace segcube
