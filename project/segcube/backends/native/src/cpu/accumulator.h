// Rows of a window added to part of an accumulator, which may be flipped against them.
#pragma once
#include <cstdint>

#include "threads.h"
#include "vectors.h"

namespace segcube {

// Distances from one channel, plane and row of a volume to the next, in floats.
struct Strides {
  int64_t channel, plane, row;

  int64_t offset(int k, int z, int y) const { return k * channel + z * plane + y * row; }
};

// sum += (values + bias) * channel_weights * weight. Python fills it in; structs.py has the same fields.
struct Accumulator {
  float* sum;
  const float* weight;           // (D, H, W), one value per voxel; null for ones
  const float* channel_weights;  // (channels)
  Strides sum_strides, weight_strides;
  int32_t step;  // 1, or -1 if rows of sum and weight run against those of the values

  void add(int channel, int plane, int row, const float* values, int count, float bias) const {
    float* to = sum + sum_strides.offset(channel, plane, row);
    const float* weights = weight ? weight + weight_strides.offset(0, plane, row) : nullptr;
    const float channel_weight = channel_weights[channel];
    int i = 0;
    for (; i + LANES <= count; i += LANES) {
      const Vector scaled = (load(values + i) + bias) * channel_weight;
      if (step == 1)
        add_vector(scaled, to + i, weights ? weights + i : nullptr);
      else
        add_vector(reversed(scaled), to - i - (LANES - 1), weights ? weights - i - (LANES - 1) : nullptr);
    }
    for (; i < count; i++) to[i * step] += (values[i] + bias) * channel_weight * (weights ? weights[i * step] : 1);
  }

 private:
  static void add_vector(Vector scaled, float* to, const float* weights) {
    store(to, load(to) + (weights ? scaled * load(weights) : scaled));
  }
};

// Python fills it in; structs.py has the same fields.
struct AccumulateArgs {
  Accumulator accumulator;
  const float* window;  // rows are contiguous
  Strides window_strides;
  int32_t size[3];
  int32_t channels, threads;
};

inline void accumulate(const AccumulateArgs& args) {
  on_threads(args.size[0], args.threads, [&] {
    return [&](int plane) {
      for (int row = 0; row < args.size[1]; row++)
        for (int k = 0; k < args.channels; k++)
          args.accumulator.add(k, plane, row, args.window + args.window_strides.offset(k, plane, row), args.size[2],
                               0);
    };
  });
}

}  // namespace segcube
