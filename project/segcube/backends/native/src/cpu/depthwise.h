// Convolutions whose channels have a kernel each, and transposed ones.
#pragma once
#include <algorithm>
#include <vector>

#include "convolution.h"
#include "product.h"
#include "threads.h"

namespace segcube {

// Which part of a channel's output a worker makes at once: its input stays in a core's own cache.
constexpr int TILE_PLANES = 8, TILE_ROWS = 16;
// Rows that are summed at once, with two vectors of voxels each.
constexpr int ROWS = 4;

struct Span {
  int first, count;
};

inline int tiles_of(int length, int edge) { return (length + edge - 1) / edge; }
inline Span tile_at(int tile, int length, int edge) { return {tile * edge, std::min(edge, length - tile * edge)}; }

// Rows of an input channel with zeros around the image, laid out for a tile of outputs.
struct Halo {
  Span planes, rows, voxels;

  long floats() const { return static_cast<long>(planes.count) * rows.count * voxels.count; }

  void fill(const Convolution& how, int channel, float* to) const {
    const int before = std::min(voxels.count, std::max(0, -voxels.first));
    const int from = std::max(0, voxels.first);
    const int inside = std::max(0, std::min(how.size[2] - from, voxels.count - before));
    for (int z = planes.first; z < planes.first + planes.count; z++)
      for (int y = rows.first; y < rows.first + rows.count; y++, to += voxels.count) {
        if (z < 0 || z >= how.size[0] || y < 0 || y >= how.size[1]) {
          std::fill_n(to, voxels.count, 0.f);
          continue;
        }
        std::fill_n(to, before, 0.f);
        read(how.row(channel, z, y) + from, inside, how.reading(channel), to + before);
        std::fill(to + before + inside, to + voxels.count, 0.f);
      }
  }
};

// The tiles of all channels, one after the other, and the moments of what is made of each.
template <class Kind>
class Tiled {
 public:
  explicit Tiled(const Convolution& how)
      : how_(how), high_(tiles_of(how.out_size[0], TILE_PLANES)), wide_(tiles_of(how.out_size[1], TILE_ROWS)) {}

  void run() {
    const int tiles = high_ * wide_;
    Gathered gathered(how_, tiles);
    on_threads(how_.outputs * tiles, how_.threads, [&] {
      return [&, kind = Kind(how_)](int piece) {
        const int channel = piece / tiles, tile = piece % tiles;
        const Span planes = tile_at(tile / wide_, how_.out_size[0], TILE_PLANES);
        const Span rows = tile_at(tile % wide_, how_.out_size[1], TILE_ROWS);
        kind.make(channel, planes, rows);
        for (int z = planes.first; z < planes.first + planes.count; z++)
          gathered.look(tile, channel, out_row(how_, channel, z, rows.first), rows.count * how_.out_size[2]);
      };
    });
    gathered.write();
  }

  static float* out_row(const Convolution& how, int channel, int z, int y) {
    return how.out + ((static_cast<long>(channel) * how.out_size[0] + z) * how.out_size[1] + y) * how.out_size[2];
  }

 private:
  const Convolution& how_;
  const int high_, wide_;
};

class Depthwise {
 public:
  explicit Depthwise(const Convolution& how)
      : how_(how),
        pitch_(whole_vectors(how.out_size[2]) + (how.kernel_size[2] - 1) / how.stride[2]),
        halo_(halo({0, std::min(TILE_PLANES, how.out_size[0])}, {0, std::min(TILE_ROWS, how.out_size[1])}).floats()),
        line_(static_cast<size_t>(pitch_) * how.stride[2]),
        taps_(volume(how.kernel_size)) {}

  void make(int channel, Span planes, Span rows) const {
    const Halo seen = halo(planes, rows);
    seen.fill(how_, channel, halo_.data());
    if (how_.stride[2] > 1)
      for (int line = 0; line < seen.planes.count * seen.rows.count; line++)
        part(halo_.data() + static_cast<long>(line) * seen.voxels.count);
    place_taps(seen);
    for (int z = 0; z < planes.count; z++) {
      const float* from = halo_.data() + static_cast<long>(z) * how_.stride[0] * plane(seen);
      float* to = Tiled<Depthwise>::out_row(how_, channel, planes.first + z, rows.first);
      int y = 0;
      for (; y + ROWS <= rows.count; y += ROWS) sum_rows(Count<ROWS>{}, channel, seen, from, y, to);
      for (; y < rows.count; y++) sum_rows(Count<1>{}, channel, seen, from, y, to);
    }
  }

 private:
  Halo halo(Span planes, Span rows) const {
    return {seen_by(planes, 0), seen_by(rows, 1), {-how_.before[2], pitch_ * how_.stride[2]}};
  }
  Span seen_by(Span made, int axis) const {
    const int stride = how_.stride[axis];
    return {made.first * stride - how_.before[axis], (made.count - 1) * stride + how_.kernel_size[axis]};
  }
  static long plane(const Halo& seen) { return static_cast<long>(seen.rows.count) * seen.voxels.count; }

  // Voxels 0, s, 2 s, .. of a row, then 1, s + 1, ..: what a tap sees of them lies side by side.
  void part(float* row) const {
    const int stride = how_.stride[2];
    std::copy_n(row, pitch_ * stride, line_.data());
    for (int first = 0; first < stride; first++)
      for (int i = 0; i < pitch_; i++) row[first * pitch_ + i] = line_.data()[i * stride + first];
  }

  // Where each tap of the kernel reads, counted from an output's first one.
  void place_taps(const Halo& seen) const {
    const int32_t* kernel = how_.kernel_size;
    for (int tap = 0; tap < static_cast<int>(taps_.size()); tap++) {
      const int k = tap % kernel[2], row = tap / kernel[2];
      const long line = row / kernel[1] * static_cast<long>(seen.rows.count) + row % kernel[1];
      taps_[tap] = line * seen.voxels.count + k % how_.stride[2] * pitch_ + k / how_.stride[2];
    }
  }

  template <class Rows>
  void sum_rows(Rows count, int channel, const Halo& seen, const float* from, int y, float* to) const {
    constexpr int R = Rows::value;
    const int width = how_.out_size[2], step = how_.stride[1] * seen.voxels.count;
    const float* kernel = how_.kernel + channel * static_cast<long>(taps_.size());
    const float bias = how_.bias ? how_.bias[channel] : 0.f;
    over_voxels(whole_vectors(width), [&](auto vectors, int t) {
      Sums<R, vectors.value> found;
      found.fill(bias);
      const float* row = from + static_cast<long>(y) * step + t;
      for (size_t tap = 0; tap < taps_.size(); tap++) found.add_rows(row + taps_[tap], step, kernel[tap]);
      found.write(to + static_cast<long>(y) * width + t, width, width - t);
    });
  }

  const Convolution& how_;
  const int pitch_;  // of the voxels that one tap sees of a row
  const Floats halo_, line_;
  mutable std::vector<long> taps_;
};

// An output at i * stride + phase along an axis sees input i + d by the tap k = phase + before - d * stride.
class DepthwiseTransposed {
 public:
  explicit DepthwiseTransposed(const Convolution& how)
      : how_(how),
        pitch_(whole_vectors(tiles_of(how.out_size[2], how.stride[2])) + reach(2).count),
        halo_(halo({0, TILE_PLANES}, {0, TILE_ROWS}).floats()),
        sums_(static_cast<size_t>(pitch_) * how.stride[2]) {}

  void make(int channel, Span planes, Span rows) const {
    const Halo seen = halo(planes, rows);
    seen.fill(how_, channel, halo_.data());
    for (int z = planes.first; z < planes.first + planes.count; z++)
      for (int y = rows.first; y < rows.first + rows.count; y++) {
        for (int phase = 0; phase < how_.stride[2]; phase++) {
          place_taps(channel, seen, z, y, phase);
          sum_phase(channel, phase);
        }
        interleave(Tiled<DepthwiseTransposed>::out_row(how_, channel, z, y));
      }
  }

 private:
  // Inputs that outputs from 0 on see: those of one output, and the first of them.
  Span reach(int axis) const {
    const int past = floor_of(how_.before[axis] + how_.stride[axis] - 1, axis) + 1;
    const int first = floor_of(how_.before[axis] - how_.kernel_size[axis] + 1, axis);
    return {first, past - first};
  }
  int floor_of(int value, int axis) const {
    const int stride = how_.stride[axis];
    return value >= 0 ? value / stride : -((-value + stride - 1) / stride);
  }
  Halo halo(Span planes, Span rows) const { return {seen_by(planes, 0), seen_by(rows, 1), {reach(2).first, pitch_}}; }
  Span seen_by(Span made, int axis) const {
    const Span one = reach(axis);
    return {made.first / how_.stride[axis] + one.first, made.count / how_.stride[axis] + 1 + one.count};
  }

  struct Tap {
    long at;
    float weight;
  };

  // What an output row's voxels of a phase see.
  void place_taps(int channel, const Halo& seen, int z, int y, int phase) const {
    const int32_t *kernel = how_.kernel_size, *stride = how_.stride, *before = how_.before;
    const float* weights = how_.kernel + channel * volume(kernel);
    taps_.clear();
    for (int i = (z + before[0]) % stride[0]; i < kernel[0]; i += stride[0])
      for (int j = (y + before[1]) % stride[1]; j < kernel[1]; j += stride[1])
        for (int k = (phase + before[2]) % stride[2]; k < kernel[2]; k += stride[2]) {
          const long plane = (z + before[0] - i) / stride[0] - seen.planes.first;
          const long row = (y + before[1] - j) / stride[1] - seen.rows.first;
          const long voxel = floor_of(phase + before[2] - k, 2) - seen.voxels.first;
          taps_.push_back(
              {(plane * seen.rows.count + row) * pitch_ + voxel, weights[(i * kernel[1] + j) * kernel[2] + k]});
        }
  }

  void sum_phase(int channel, int phase) const {
    const float bias = how_.bias ? how_.bias[channel] : 0.f;
    over_voxels(whole_vectors(tiles_of(how_.out_size[2], how_.stride[2])), [&](auto vectors, int t) {
      Sums<1, vectors.value> found;
      found.fill(bias);
      for (const Tap& tap : taps_) found.add_rows(halo_.data() + tap.at + t, 0, tap.weight);
      found.store_to(sums_.data() + phase * pitch_ + t, 0);
    });
  }

  void interleave(float* to) const {
    const int stride = how_.stride[2], width = how_.out_size[2];
    const float* sums = sums_.data();
    int x = 0;
    if (stride == 2)
      for (; x + 2 * LANES <= width; x += 2 * LANES) {
        const Vector first = load(sums + x / 2), second = load(sums + pitch_ + x / 2);
        store(to + x, zip_low(first, second));
        store(to + x + LANES, zip_high(first, second));
      }
    for (; x < width; x++) to[x] = sums[x % stride * pitch_ + x / stride];
  }

  const Convolution& how_;
  const int pitch_;  // of the inputs of a row
  const Floats halo_, sums_;
  mutable std::vector<Tap> taps_;
};

}  // namespace segcube
