// A part of a sum that rows are added to where they lie in it.
#pragma once
#include <cstdint>

#include "lanes.h"

namespace segcube {

// Where a part of a volume lies: from one channel, plane and row to the next, in floats.
struct Place {
  int64_t channel, plane, row;

  int64_t of(int k, int z, int y) const { return k * channel + z * plane + y * row; }
};

// sum += (values + bias) * say * weight; Python fills it in.
struct Onto {
  float* sum;
  const float* weight;  // a value a voxel; or null for ones
  const float* say;     // (channels)
  Place sum_at, weight_at;
  int32_t step;  // 1, or -1 where rows of the sum and of the weights run against those of the values

  void add(int channel, int plane, int row, const float* values, int count, float bias) const {
    float* to = sum + sum_at.of(channel, plane, row);
    const float* weights = weight ? weight + weight_at.of(0, plane, row) : nullptr;
    const float times = say[channel];
    int i = 0;
    for (; i + LANES <= count; i += LANES) {
      const Vector said = (load(values + i) + bias) * times;
      if (step == 1)
        put(said, to + i, weights ? weights + i : nullptr);
      else
        put(turned(said), to - i - (LANES - 1), weights ? weights - i - (LANES - 1) : nullptr);
    }
    for (; i < count; i++) to[i * step] += (values[i] + bias) * times * (weights ? weights[i * step] : 1);
  }

 private:
  static void put(Vector said, float* to, const float* weights) {
    store(to, load(to) + (weights ? said * load(weights) : said));
  }
};

}  // namespace segcube
