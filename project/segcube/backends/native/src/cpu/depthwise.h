// Depthwise convolutions, plain and transposed.
#pragma once
#include <algorithm>
#include <vector>

#include "convolution.h"
#include "product.h"
#include "threads.h"

namespace segcube {

// A tile of a channel's output, whose input fits into a core's own cache.
constexpr int TILE_PLANES = 8, TILE_ROWS = 16;
// Output rows that are summed at once, with two vectors of voxels each.
constexpr int ROWS = 4;

struct Span {
  int first, count;
};

inline int tiles_of(int length, int edge) { return (length + edge - 1) / edge; }
inline Span tile_at(int tile, int length, int edge) { return {tile * edge, std::min(edge, length - tile * edge)}; }

// The part of an input channel that a tile of outputs depends on, with zeros beyond the border.
struct Halo {
  Span planes, rows, voxels;

  long floats() const { return static_cast<long>(planes.count) * rows.count * voxels.count; }

  void fill(const ConvolutionArgs& args, int channel, float* to) const {
    const int padding = std::min(voxels.count, std::max(0, -voxels.first));
    const int from = std::max(0, voxels.first);
    const int inside = std::max(0, std::min(args.size[2] - from, voxels.count - padding));
    for (int z = planes.first; z < planes.first + planes.count; z++)
      for (int y = rows.first; y < rows.first + rows.count; y++, to += voxels.count) {
        if (z < 0 || z >= args.size[0] || y < 0 || y >= args.size[1]) {
          std::fill_n(to, voxels.count, 0.f);
          continue;
        }
        std::fill_n(to, padding, 0.f);
        copy_normed(args.row(channel, z, y) + from, inside, args.input_norm(channel), to + padding);
        std::fill(to + padding + inside, to + voxels.count, 0.f);
      }
  }
};

// The tiles of all channels on all threads; Kind computes a tile.
template <class Kind>
class Tiled {
 public:
  explicit Tiled(const ConvolutionArgs& args)
      : args_(args), high_(tiles_of(args.out_size[0], TILE_PLANES)), wide_(tiles_of(args.out_size[1], TILE_ROWS)) {}

  void run() {
    const int tiles = high_ * wide_;
    OutputMoments moments(args_, tiles);
    on_threads(args_.outputs * tiles, args_.threads, [&] {
      return [&, kind = Kind(args_)](int piece) {
        const int channel = piece / tiles, tile = piece % tiles;
        const Span planes = tile_at(tile / wide_, args_.out_size[0], TILE_PLANES);
        const Span rows = tile_at(tile % wide_, args_.out_size[1], TILE_ROWS);
        kind.compute(channel, planes, rows);
        for (int z = planes.first; z < planes.first + planes.count; z++)
          moments.add(tile, channel, out_row(args_, channel, z, rows.first), rows.count * args_.out_size[2]);
      };
    });
    moments.write();
  }

  static float* out_row(const ConvolutionArgs& args, int channel, int z, int y) {
    return args.out + ((static_cast<long>(channel) * args.out_size[0] + z) * args.out_size[1] + y) * args.out_size[2];
  }

 private:
  const ConvolutionArgs& args_;
  const int high_, wide_;
};

class Depthwise {
 public:
  explicit Depthwise(const ConvolutionArgs& args)
      : args_(args),
        pitch_(whole_vectors(args.out_size[2]) + (args.kernel_size[2] - 1) / args.stride[2]),
        halo_(halo_of({0, std::min(TILE_PLANES, args.out_size[0])}, {0, std::min(TILE_ROWS, args.out_size[1])})
                  .floats()),
        line_(static_cast<size_t>(pitch_) * args.stride[2]),
        offsets_(volume(args.kernel_size)) {}

  void compute(int channel, Span planes, Span rows) const {
    const Halo halo = halo_of(planes, rows);
    halo.fill(args_, channel, halo_.data());
    if (args_.stride[2] > 1)
      for (int line = 0; line < halo.planes.count * halo.rows.count; line++)
        deinterleave(halo_.data() + static_cast<long>(line) * halo.voxels.count);
    find_offsets(halo);
    for (int z = 0; z < planes.count; z++) {
      const float* from = halo_.data() + static_cast<long>(z) * args_.stride[0] * plane(halo);
      float* to = Tiled<Depthwise>::out_row(args_, channel, planes.first + z, rows.first);
      int y = 0;
      for (; y + ROWS <= rows.count; y += ROWS) sum_rows(Count<ROWS>{}, channel, halo, from, y, to);
      for (; y < rows.count; y++) sum_rows(Count<1>{}, channel, halo, from, y, to);
    }
  }

 private:
  Halo halo_of(Span planes, Span rows) const {
    return {needed_by(planes, 0), needed_by(rows, 1), {-args_.padding[2], pitch_ * args_.stride[2]}};
  }
  Span needed_by(Span outputs, int axis) const {
    const int stride = args_.stride[axis];
    return {outputs.first * stride - args_.padding[axis], (outputs.count - 1) * stride + args_.kernel_size[axis]};
  }
  static long plane(const Halo& halo) { return static_cast<long>(halo.rows.count) * halo.voxels.count; }

  // Reorder a row to voxels 0, s, 2 s, .., then 1, s + 1, ..: a kernel element then multiplies adjacent ones.
  void deinterleave(float* row) const {
    const int stride = args_.stride[2];
    std::copy_n(row, pitch_ * stride, line_.data());
    for (int first = 0; first < stride; first++)
      for (int i = 0; i < pitch_; i++) row[first * pitch_ + i] = line_.data()[i * stride + first];
  }

  // The offset of the input that each kernel element multiplies, from an output's first one.
  void find_offsets(const Halo& halo) const {
    const int32_t* kernel = args_.kernel_size;
    for (int element = 0; element < static_cast<int>(offsets_.size()); element++) {
      const int k = element % kernel[2], row = element / kernel[2];
      const long line = row / kernel[1] * static_cast<long>(halo.rows.count) + row % kernel[1];
      offsets_[element] = line * halo.voxels.count + k % args_.stride[2] * pitch_ + k / args_.stride[2];
    }
  }

  template <class Rows>
  void sum_rows(Rows, int channel, const Halo& halo, const float* from, int y, float* to) const {
    constexpr int R = Rows::value;
    const int width = args_.out_size[2], step = args_.stride[1] * halo.voxels.count;
    const float* kernel = args_.kernel + channel * static_cast<long>(offsets_.size());
    const float bias = args_.bias ? args_.bias[channel] : 0.f;
    over_voxels(whole_vectors(width), [&](auto vectors, int t) {
      Sums<R, vectors.value> sums;
      sums.fill(bias);
      const float* row = from + static_cast<long>(y) * step + t;
      for (size_t i = 0; i < offsets_.size(); i++) sums.add_rows(row + offsets_[i], step, kernel[i]);
      sums.write(to + static_cast<long>(y) * width + t, width, width - t);
    });
  }

  const ConvolutionArgs& args_;
  const int pitch_;  // of the voxels of a row that one kernel element multiplies
  const Floats halo_, line_;
  mutable std::vector<long> offsets_;
};

// Along an axis, kernel element k = phase + padding - d * stride takes input i + d to output i * stride + phase.
class DepthwiseTransposed {
 public:
  explicit DepthwiseTransposed(const ConvolutionArgs& args)
      : args_(args),
        pitch_(whole_vectors(tiles_of(args.out_size[2], args.stride[2])) + reach(2).count),
        halo_(halo_of({0, TILE_PLANES}, {0, TILE_ROWS}).floats()),
        sums_(static_cast<size_t>(pitch_) * args.stride[2]) {}

  void compute(int channel, Span planes, Span rows) const {
    const Halo halo = halo_of(planes, rows);
    halo.fill(args_, channel, halo_.data());
    for (int z = planes.first; z < planes.first + planes.count; z++)
      for (int y = rows.first; y < rows.first + rows.count; y++) {
        for (int phase = 0; phase < args_.stride[2]; phase++) {
          find_terms(channel, halo, z, y, phase);
          sum_phase(channel, phase);
        }
        interleave(Tiled<DepthwiseTransposed>::out_row(args_, channel, z, y));
      }
  }

 private:
  // The inputs that output 0 and its phases depend on: the first, and their number.
  Span reach(int axis) const {
    const int end = floor_of(args_.padding[axis] + args_.stride[axis] - 1, axis) + 1;
    const int first = floor_of(args_.padding[axis] - args_.kernel_size[axis] + 1, axis);
    return {first, end - first};
  }
  int floor_of(int value, int axis) const {
    const int stride = args_.stride[axis];
    return value >= 0 ? value / stride : -((-value + stride - 1) / stride);
  }
  Halo halo_of(Span planes, Span rows) const {
    return {needed_by(planes, 0), needed_by(rows, 1), {reach(2).first, pitch_}};
  }
  Span needed_by(Span outputs, int axis) const {
    const Span one = reach(axis);
    return {outputs.first / args_.stride[axis] + one.first, outputs.count / args_.stride[axis] + 1 + one.count};
  }

  struct Term {
    long offset;
    float weight;
  };

  // The inputs and weights of an output row's voxels of one phase.
  void find_terms(int channel, const Halo& halo, int z, int y, int phase) const {
    const int32_t *kernel = args_.kernel_size, *stride = args_.stride, *padding = args_.padding;
    const float* weights = args_.kernel + channel * volume(kernel);
    terms_.clear();
    for (int i = (z + padding[0]) % stride[0]; i < kernel[0]; i += stride[0])
      for (int j = (y + padding[1]) % stride[1]; j < kernel[1]; j += stride[1])
        for (int k = (phase + padding[2]) % stride[2]; k < kernel[2]; k += stride[2]) {
          const long plane = (z + padding[0] - i) / stride[0] - halo.planes.first;
          const long row = (y + padding[1] - j) / stride[1] - halo.rows.first;
          const long voxel = floor_of(phase + padding[2] - k, 2) - halo.voxels.first;
          terms_.push_back(
              {(plane * halo.rows.count + row) * pitch_ + voxel, weights[(i * kernel[1] + j) * kernel[2] + k]});
        }
  }

  void sum_phase(int channel, int phase) const {
    const float bias = args_.bias ? args_.bias[channel] : 0.f;
    over_voxels(whole_vectors(tiles_of(args_.out_size[2], args_.stride[2])), [&](auto vectors, int t) {
      Sums<1, vectors.value> sums;
      sums.fill(bias);
      for (const Term& term : terms_) sums.add_rows(halo_.data() + term.offset + t, 0, term.weight);
      sums.store_to(sums_.data() + phase * pitch_ + t, 0);
    });
  }

  void interleave(float* to) const {
    const int stride = args_.stride[2], width = args_.out_size[2];
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

  const ConvolutionArgs& args_;
  const int pitch_;  // of a row's inputs, and of its sums of one phase
  const Floats halo_, sums_;
  mutable std::vector<Term> terms_;
};

}  // namespace segcube
