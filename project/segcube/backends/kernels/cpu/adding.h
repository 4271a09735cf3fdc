// Windows added to the sum of a grid, where they lie in it.
#pragma once
#include <cstdint>
#include <vector>

#include "lanes.h"
#include "threads.h"

namespace segcube {

// Where a part of a volume lies: from one channel, plane and row to the next, in floats.
struct Place {
  int64_t channel, plane, row;
};

// sum += window * say * weight; Python fills it in.
struct Adding {
  float* sum;
  const float* window;
  const float* say;     // (channels)
  const float* weight;  // a value a voxel; or null for ones
  Place sum_at, window_at, weight_at;
  int32_t size[3];
  int32_t step;  // 1, or -1 where a row of the window runs against the sum's
  int32_t channels, threads;
};

// The vector that ends at `last`, the other way round.
inline Vector load_turned(const float* last) { return turned(load(last - (LANES - 1))); }

class Added {
 public:
  explicit Added(const Adding& how) : how_(how) {}

  void run() const {
    on_threads(how_.size[0], how_.threads, [&] {
      return [&, ones = std::vector<float>(how_.size[2], 1.f)](int plane) {
        for (int row = 0; row < how_.size[1]; row++) {
          const float* weight = how_.weight ? how_.weight + at(how_.weight_at, 0, plane, row) : ones.data();
          for (int k = 0; k < how_.channels; k++) add_row(k, plane, row, weight);
        }
      };
    });
  }

 private:
  void add_row(int channel, int plane, int row, const float* weight) const {
    float* sum = how_.sum + at(how_.sum_at, channel, plane, row);
    const float* window = how_.window + at(how_.window_at, channel, plane, row);
    const float say = how_.say[channel];
    const int width = how_.size[2];
    int i = 0;
    if (how_.step == 1)
      for (; i + LANES <= width; i += LANES) store(sum + i, load(sum + i) + load(window + i) * (load(weight + i) * say));
    else
      for (; i + LANES <= width; i += LANES)
        store(sum + i, load(sum + i) + load_turned(window - i) * (load(weight + i) * say));
    for (; i < width; i++) sum[i] += window[i * how_.step] * (weight[i] * say);
  }

  static int64_t at(const Place& place, int channel, int plane, int row) {
    return channel * place.channel + plane * place.plane + row * place.row;
  }

  const Adding& how_;
};

}  // namespace segcube
