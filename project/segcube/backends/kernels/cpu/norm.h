// Instance norm with what follows it, in one pass over the image.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "lanes.h"
#include "threads.h"

namespace segcube {

// out = leaky((image - mean) / sqrt(variance + epsilon) * scale + shift + residual); Python fills it in.
struct Norm {
  const float* image;     // (channels, voxels)
  const float* moments;   // (channels, 2): mean and variance
  const float* scale;     // (channels)
  const float* shift;     // (channels)
  const float* residual;  // like the image, or null
  float* out;
  int64_t voxels;
  double epsilon;
  float slope;  // below zero; 1 leaves all as it is
  int32_t channels, threads;
};

inline Vector leaky(Vector values, float slope) {
  const Vector below = values * slope;
  return values > 0 ? values : below;
}

inline void norm_channel(const Norm& how, int channel, int64_t first, int64_t past) {
  const double factor = how.scale[channel] / std::sqrt(static_cast<double>(how.moments[2 * channel + 1]) + how.epsilon);
  const float scale = static_cast<float>(factor), mean = how.moments[2 * channel];
  const float shift = how.shift[channel];
  const float* image = how.image + channel * how.voxels;
  const float* residual = how.residual ? how.residual + channel * how.voxels : nullptr;
  float* out = how.out + channel * how.voxels;
  int64_t i = first;
  if (residual)
    for (; i + LANES <= past; i += LANES)
      store(out + i, leaky((load(image + i) - mean) * scale + shift + load(residual + i), how.slope));
  else
    for (; i + LANES <= past; i += LANES) store(out + i, leaky((load(image + i) - mean) * scale + shift, how.slope));
  for (; i < past; i++) {
    const float value = (image[i] - mean) * scale + shift + (residual ? residual[i] : 0.f);
    out[i] = value > 0 ? value : value * how.slope;
  }
}

inline void norm(const Norm& how) {
  constexpr int64_t PIECE = 1 << 16;
  const int pieces = static_cast<int>((how.voxels + PIECE - 1) / PIECE);
  on_threads(how.channels * pieces, how.threads, [&] {
    return [&](int piece) {
      const int64_t first = piece % pieces * PIECE;
      norm_channel(how, piece / pieces, first, std::min(how.voxels, first + PIECE));
    };
  });
}

}  // namespace segcube
