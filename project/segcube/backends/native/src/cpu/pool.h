// Average pooling over blocks that do not overlap.
#pragma once
#include <algorithm>
#include <cstdint>

#include "input_norm.h"
#include "threads.h"

namespace segcube {

// Python fills it in; structs.py has the same fields. An incomplete block at the far border is dropped.
struct PoolArgs {
  const float* image;            // (channels, D, H, W)
  const InputNorm* input_norms;  // (channels), or null
  float* out;                    // (channels, D / d, H / h, W / w)
  int32_t size[3], block[3];
  int32_t channels, threads;
};

// to[w] += the sum of `block` successive voxels of the row.
inline void add_row(const float* row, int block, int count, float* to) {
  int w = 0;
  if (block == 1)
    for (; w + LANES <= count; w += LANES) store(to + w, load(to + w) + load(row + w));
  if (block == 2)
    for (; w + LANES <= count; w += LANES) {
      const Vector a = load(row + 2 * w), b = load(row + 2 * w + LANES);
      store(to + w, load(to + w) + (even(a, b) + odd(a, b)));
    }
  for (; w < count; w++)
    for (int k = 0; k < block; k++) to[w] += row[w * block + k];
}

inline void pool(const PoolArgs& args) {
  const int32_t *size = args.size, *block = args.block;
  const int planes = size[0] / block[0], rows = size[1] / block[1], count = size[2] / block[2];
  const float factor = 1.f / (block[0] * block[1] * block[2]);
  on_threads(args.channels * planes, args.threads, [&] {
    return [&, line = Floats(size[2])](int piece) {
      const int channel = piece / planes, plane = piece % planes;
      const InputNorm* input_norm = args.input_norms ? args.input_norms + channel : nullptr;
      for (int y = 0; y < rows; y++) {
        float* to = args.out + (static_cast<long>(piece) * rows + y) * count;
        std::fill_n(to, count, 0.f);
        for (int i = 0; i < block[0]; i++)
          for (int j = 0; j < block[1]; j++) {
            const long row = (static_cast<long>(channel) * size[0] + plane * block[0] + i) * size[1] + y * block[1] + j;
            copy_normed(args.image + row * size[2], size[2], input_norm, line.data());
            add_row(line.data(), block[2], count, to);
          }
        for (int w = 0; w < count; w++) to[w] *= factor;
      }
    };
  });
}

}  // namespace segcube
