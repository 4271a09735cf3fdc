// Means of blocks of voxels that lie side by side.
#pragma once
#include <algorithm>
#include <cstdint>

#include "reading.h"
#include "threads.h"

namespace segcube {

// Python fills it in; what is left over at the far borders belongs to no block.
struct Pool {
  const float* image;       // (channels, D, H, W)
  const Reading* readings;  // (channels), or null
  float* out;               // (channels, D / d, H / h, W / w)
  int32_t size[3], block[3];
  int32_t channels, threads;
};

// to[w] += the sum of the block's voxels of a row.
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

inline void pool(const Pool& how) {
  const int32_t *size = how.size, *block = how.block;
  const int planes = size[0] / block[0], rows = size[1] / block[1], count = size[2] / block[2];
  const float share = 1.f / (block[0] * block[1] * block[2]);
  on_threads(how.channels * planes, how.threads, [&] {
    return [&, line = Floats(size[2])](int piece) {
      const int channel = piece / planes, plane = piece % planes;
      const Reading* reading = how.readings ? how.readings + channel : nullptr;
      for (int y = 0; y < rows; y++) {
        float* to = how.out + (static_cast<long>(piece) * rows + y) * count;
        std::fill_n(to, count, 0.f);
        for (int i = 0; i < block[0]; i++)
          for (int j = 0; j < block[1]; j++) {
            const long row = (static_cast<long>(channel) * size[0] + plane * block[0] + i) * size[1] + y * block[1] + j;
            read(how.image + row * size[2], size[2], reading, line.data());
            add_row(line.data(), block[2], count, to);
          }
        for (int w = 0; w < count; w++) to[w] *= share;
      }
    };
  });
}

}  // namespace segcube
