// Convolutions of 3x3x3 and 1x3x3 by Winograd's minimal filtering F(4x4, 3x3): the last two axes in tiles of 4x4
// outputs, whose 36 products stand for 144; the first axis term by term. (Lavin and Gray, 2015, arXiv:1509.09308)
#pragma once
#include <algorithm>

#include "convolution.h"
#include "product.h"
#include "threads.h"

namespace segcube {

constexpr int EDGE = 6, TILE = 4, POINTS = EDGE * EDGE;
// Keeps the 36 sums of a voxel from falling into the same sets of the cache.
constexpr int APART = 16;

// B^T d of six values, to `step` apart.
inline void to_points(const Vector* d, int from, Vector* to, int step) {
  const Vector d0 = d[0], d1 = d[from], d2 = d[2 * from], d3 = d[3 * from], d4 = d[4 * from], d5 = d[5 * from];
  const Vector a = d4 - 4.f * d2, b = d3 - 4.f * d1, c = d4 - d2, e = 2.f * (d3 - d1);
  to[0] = 4.f * d0 - 5.f * d2 + d4;
  to[step] = a + b;
  to[2 * step] = a - b;
  to[3 * step] = c + e;
  to[4 * step] = c - e;
  to[5 * step] = 4.f * d1 - 5.f * d3 + d5;
}

// A^T m of six sums.
inline void from_points(const Vector* m, int from, Vector* to, int step) {
  const Vector a = m[from] + m[2 * from], b = m[from] - m[2 * from];
  const Vector c = m[3 * from] + m[4 * from], d = m[3 * from] - m[4 * from];
  to[0] = m[0] + a + c;
  to[step] = b + 2.f * d;
  to[2 * step] = a + 4.f * c;
  to[3 * step] = b + 8.f * d + m[5 * from];
}

// G g of three taps.
inline void taps_to_points(const float* g, int from, float* to, int step) {
  const float even = g[0] + g[2 * from], odd = g[from];
  const float far = g[0] / 24 + g[2 * from] / 6, near = odd / 12;
  to[0] = g[0] / 4;
  to[step] = -(even + odd) / 6;
  to[2 * step] = -(even - odd) / 6;
  to[3 * step] = far + near;
  to[4 * step] = far - near;
  to[5 * step] = g[2 * from];
}

class Winograd {
 public:
  explicit Winograd(const Convolution& how)
      : how_(how),
        planes_(how.kernel_size[0]),
        half_(how.before[0]),
        tiles_((how.out_size[2] + TILE - 1) / TILE),
        tile_rows_((how.out_size[1] + TILE - 1) / TILE),
        rows_(rows_of_a_strip(how)),
        voxels_(whole_vectors(rows_ * tiles_)),
        points_pitch_(how.inputs * voxels_ + APART),
        sums_pitch_(how.outputs * voxels_ + APART),
        weights_(static_cast<size_t>(POINTS) * planes_ * how.inputs * how.outputs) {}

  static bool fits(const Convolution& how) {
    const int32_t *kernel = how.kernel_size, *stride = how.stride, *before = how.before;
    return (kernel[0] == 1 || kernel[0] == 3) && kernel[1] == 3 && kernel[2] == 3 && stride[0] == 1 && stride[1] == 1 &&
           stride[2] == 1 && before[0] == kernel[0] / 2 && before[1] == 1 && before[2] == 1 &&
           std::equal(how.size, how.size + 3, how.out_size) && how.size[2] <= MOST_TILES * TILE && how.inputs >= 3 &&
           how.size[1] * how.size[2] >= LEAST_PLANE;
  }

  void run() {
    on_threads(how_.outputs, how_.threads, [&] { return [&](int output) { transform_kernel(output); }; });
    const int strips = (tile_rows_ + rows_ - 1) / rows_, depth = how_.out_size[0];
    // Each piece transforms a plane or two that its neighbour has as well
    const int parts = std::max(1, std::min(depth / 4, PIECES * how_.threads / strips));
    Gathered gathered(how_, strips * depth);
    on_threads(strips * parts, how_.threads, [&] {
      return [&, scratch = Scratch(*this)](int piece) {
        const int strip = piece / parts, part = piece % parts;
        convolve(strip, depth * part / parts, depth * (part + 1) / parts, scratch, gathered);
      };
    });
    gathered.write();
  }

 private:
  static constexpr int MOST_TILES = 64, PIECES = 4, LEAST_PLANE = 196;
  static constexpr int CACHED_POINTS = 1 << 17;
  static constexpr int LINE = MOST_TILES * TILE + 8 * LANES, LINE_TILES = MOST_TILES + 3 * LANES;

  // As many as leave a strip's points in a core's own cache, and fill two vectors at least.
  int rows_of_a_strip(const Convolution& how) const {
    const int of_a_tile = POINTS * (planes_ * how.inputs + how.outputs);
    const int cached = std::max(CACHED_POINTS / of_a_tile, 2 * LANES);
    return std::min(tile_rows_, std::max(1, std::min(cached, MOST_TILES) / tiles_));
  }

  struct Scratch {
    explicit Scratch(const Winograd& of)
        : points(static_cast<size_t>(POINTS) * of.points_pitch_ * of.planes_),
          sums(static_cast<size_t>(POINTS) * of.sums_pitch_) {}
    Floats points, sums;  // of the planes that a plane of outputs sees, and of that plane
  };

  void transform_kernel(int output) const {
    const int terms = planes_ * how_.inputs;
    for (int input = 0; input < how_.inputs; input++)
      for (int plane = 0; plane < planes_; plane++) {
        const float* taps = how_.kernel + ((static_cast<long>(output) * how_.inputs + input) * planes_ + plane) * 9;
        float rows[EDGE * 3], points[POINTS];
        for (int i = 0; i < 3; i++) taps_to_points(taps + i, 3, rows + i, 3);
        for (int i = 0; i < EDGE; i++) taps_to_points(rows + 3 * i, 1, points + EDGE * i, 1);
        float* to = weights_.data() + weight_at(plane * how_.inputs + input, output, terms, how_.outputs);
        const long step = static_cast<long>(terms) * how_.outputs;
        for (int point = 0; point < POINTS; point++) to[point * step] = points[point];
      }
  }

  // A strip of `rows_` rows of tiles, from plane `first` to before `past`.
  void convolve(int strip, int first, int past, const Scratch& scratch, Gathered& gathered) const {
    const long plane_floats = static_cast<long>(POINTS) * points_pitch_;
    const auto ring = [&](int plane) { return scratch.points.data() + plane % planes_ * plane_floats; };
    const int row = strip * rows_ * TILE, depth = how_.size[0];
    for (int plane = std::max(0, first - half_); plane < std::min(depth, first + half_); plane++)
      transform_plane(plane, row, ring(plane));
    for (int plane = first; plane < past; plane++) {
      if (plane + half_ < depth) transform_plane(plane + half_, row, ring(plane + half_));
      const float* seen[3];
      for (int tap = 0; tap < planes_; tap++) {
        const int at = plane + tap - half_;
        seen[tap] = at < 0 || at >= depth ? nullptr : ring(at);
      }
      multiply_points(seen, scratch.sums.data());
      for (int n = 0; n < how_.outputs; n++) write_output(n, plane, strip, scratch.sums.data() + n * voxels_, gathered);
    }
  }

  // To [point][channel][tile], from the plane's rows `first` - 1 on.
  void transform_plane(int plane, int first, float* points) const {
    float seen[EDGE][EDGE][LINE_TILES];
    // What no tile fills must still be numbers: odd ones take long
    for (auto& row : seen)
      for (auto& tiles : row) std::fill(tiles + rows_ * tiles_, tiles + voxels_, 0.f);
    for (int channel = 0; channel < how_.inputs; channel++) {
      const float* image = how_.channels[channel] + static_cast<long>(plane) * how_.size[1] * how_.size[2];
      for (int tile_row = 0; tile_row < rows_; tile_row++)
        for (int i = 0; i < EDGE; i++) take_row(image, first + TILE * tile_row + i - 1, seen[i], tile_row * tiles_);
      for (int t = 0; t < voxels_; t += LANES) {
        Vector across[POINTS], both[POINTS];
        for (int i = 0; i < EDGE; i++) {
          Vector values[EDGE];
          for (int k = 0; k < EDGE; k++) values[k] = load(&seen[i][k][t]);
          to_points(values, 1, across + EDGE * i, 1);
        }
        for (int k = 0; k < EDGE; k++) to_points(across + k, EDGE, both + k, EDGE);
        float* to = points + channel * voxels_ + t;
        for (int point = 0; point < POINTS; point++) store(to + static_cast<long>(point) * points_pitch_, both[point]);
      }
    }
  }

  // seen[k][t] = row[4 t + k - 1], zero beyond the border, for the tiles of a row from `at` on.
  void take_row(const float* image, int row, float (*seen)[LINE_TILES], int at) const {
    const int width = how_.size[2];
    if (row < 0 || row >= how_.size[1]) {
      for (int k = 0; k < EDGE; k++) std::fill_n(seen[k] + at, whole_vectors(tiles_), 0.f);
      return;
    }
    float line[LINE];
    line[0] = 0;
    copy(image + static_cast<long>(row) * width, width, line + 1);
    std::fill(line + 1 + width, line + TILE * (whole_vectors(tiles_) + 1), 0.f);
    for (int t = 0; t < tiles_; t += LANES) {
      const float* from = line + TILE * t;
      const Vector a = load(from), b = load(from + LANES), c = load(from + 2 * LANES), d = load(from + 3 * LANES);
      const Vector even_ab = even(a, b), even_cd = even(c, d), odd_ab = odd(a, b), odd_cd = odd(c, d);
      store(seen[0] + at + t, even(even_ab, even_cd));
      store(seen[1] + at + t, even(odd_ab, odd_cd));
      store(seen[2] + at + t, odd(even_ab, even_cd));
      store(seen[3] + at + t, odd(odd_ab, odd_cd));
    }
    for (int k = 0; k < 2; k++) {
      copy(seen[k] + at + 1, tiles_ - 1, seen[TILE + k] + at);
      seen[TILE + k][at + tiles_ - 1] = line[TILE * tiles_ + k];
    }
  }

  void multiply_points(const float* const* seen, float* sums) const {
    const long weights = static_cast<long>(planes_) * how_.inputs * how_.outputs;
    for (int point = 0; point < POINTS; point++) {
      Rows rows[3];
      for (int tap = 0; tap < planes_; tap++) {
        const float* from = seen[tap] ? seen[tap] + static_cast<long>(point) * points_pitch_ : nullptr;
        rows[tap] = {from, how_.inputs, voxels_};
      }
      multiply(rows, planes_, weights_.data() + point * weights, how_.outputs,
               sums + static_cast<long>(point) * sums_pitch_, voxels_, voxels_);
    }
  }

  // The strip's part of an output's plane, from sums that lie [point][tile].
  void write_output(int output, int plane, int strip, const float* sums, Gathered& gathered) const {
    float made[TILE][TILE][LINE_TILES];
    const Vector bias = Vector{} + (how_.bias ? how_.bias[output] : 0.f);
    for (int t = 0; t < voxels_; t += LANES) {
      Vector points[POINTS], across[EDGE * TILE], both[TILE * TILE];
      for (int point = 0; point < POINTS; point++)
        points[point] = load(sums + static_cast<long>(point) * sums_pitch_ + t);
      for (int i = 0; i < EDGE; i++) from_points(points + EDGE * i, 1, across + TILE * i, 1);
      for (int k = 0; k < TILE; k++) from_points(across + k, TILE, both + k, TILE);
      for (int i = 0; i < TILE; i++)
        for (int k = 0; k < TILE; k++) store(&made[i][k][t], both[TILE * i + k] + bias);
    }
    const int height = how_.out_size[1], width = how_.out_size[2];
    float* image = how_.out + (static_cast<long>(output) * how_.out_size[0] + plane) * height * width;
    const int first = strip * rows_ * TILE, past = std::min(height, first + TILE * rows_);
    for (int row = first; row < past; row++)
      put_row(made[(row - first) % TILE], (row - first) / TILE * tiles_, image + static_cast<long>(row) * width);
    const float* wrote = image + static_cast<long>(first) * width;
    gathered.look(strip * how_.out_size[0] + plane, output, wrote, (past - first) * width);
  }

  void put_row(const float (*made)[LINE_TILES], int at, float* row) const {
    const int width = how_.out_size[2];
    float line[LINE];
    for (int t = 0; t < tiles_; t += LANES) {
      const Vector a = load(made[0] + at + t), b = load(made[1] + at + t);
      const Vector c = load(made[2] + at + t), d = load(made[3] + at + t);
      const Vector ac_low = zip_low(a, c), ac_high = zip_high(a, c), bd_low = zip_low(b, d), bd_high = zip_high(b, d);
      float* to = TILE * (t + LANES) <= width ? row + TILE * t : line + TILE * t;
      store(to, zip_low(ac_low, bd_low));
      store(to + LANES, zip_high(ac_low, bd_low));
      store(to + 2 * LANES, zip_low(ac_high, bd_high));
      store(to + 3 * LANES, zip_high(ac_high, bd_high));
    }
    const int whole = width / (TILE * LANES) * TILE * LANES;
    copy(line + whole, width - whole, row + whole);
  }

  const Convolution& how_;
  const int planes_, half_;          // of the kernel, and of them before the middle
  const int tiles_, tile_rows_;      // of a plane
  const int rows_, voxels_;          // rows of tiles a strip, and its tiles in whole vectors
  const int points_pitch_, sums_pitch_;
  const Floats weights_;
};

}  // namespace segcube
