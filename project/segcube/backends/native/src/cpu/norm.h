// Instance norm with what follows it, in one pass over the image.
#pragma once
#include <algorithm>
#include <cstdint>

#include "reading.h"
#include "threads.h"

namespace segcube {

// out = leaky(reading(image) + residual_reading(residual)); Python fills it in.
struct Norm {
  const float* image;                // (channels, voxels)
  const Reading* readings;           // (channels)
  const float* residual;             // like the image, or null
  const Reading* residual_readings;  // (channels), or null
  float* out;
  int64_t voxels;
  float slope;  // below zero; 1 leaves all as it is
  int32_t channels, threads;
};

inline void norm_channel(const Norm& how, int channel, int64_t first, int64_t past) {
  const Reading reading = how.readings[channel], rectifier{0, 1, 0, how.slope};
  const Reading beside = how.residual_readings ? how.residual_readings[channel] : Reading{0, 1, 0, 1};
  const float* image = how.image + channel * how.voxels;
  const float* residual = how.residual ? how.residual + channel * how.voxels : nullptr;
  float* out = how.out + channel * how.voxels;
  int64_t i = first;
  if (residual)
    for (; i + LANES <= past; i += LANES)
      store(out + i, rectifier(reading(load(image + i)) + beside(load(residual + i))));
  else
    for (; i + LANES <= past; i += LANES) store(out + i, rectifier(reading(load(image + i))));
  for (; i < past; i++) out[i] = rectifier(reading(image[i]) + (residual ? beside(residual[i]) : 0.f));
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
