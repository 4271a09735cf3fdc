// Convolutions of 3x3x3 and 1x3x3 by Winograd's minimal filtering: the last two axes in tiles of 4x4 outputs, whose 36
// products stand for 144; the first axis in pairs of planes, whose 4 stand for 6.
#pragma once
#include <algorithm>

#include "product.h"
#include "threads.h"
#include "tiles.h"

namespace segcube {

class Winograd {
 public:
  explicit Winograd(const Convolution& how)
      : how_(how),
        deep_(how.kernel_size[0] == 3),
        seen_(deep_ ? SEEN : 1),
        made_(deep_ ? 2 : 1),
        tiles_(how, std::max(CACHED_POINTS / (POINTS * (seen_ * how.inputs + made_ * how.outputs)), 2 * LANES)),
        points_pitch_(how.inputs * tiles_.voxels + APART),
        sums_pitch_(how.outputs * tiles_.voxels + APART),
        weights_(static_cast<size_t>(POINTS) * seen_ * how.inputs * how.outputs) {}

  static bool fits(const Convolution& how) {
    const int32_t *kernel = how.kernel_size, *stride = how.stride, *before = how.before;
    return (kernel[0] == 1 || kernel[0] == 3) && kernel[1] == 3 && kernel[2] == 3 && stride[0] == 1 && stride[1] == 1 &&
           stride[2] == 1 && before[0] == kernel[0] / 2 && before[1] == 1 && before[2] == 1 &&
           std::equal(how.size, how.size + 3, how.out_size) && how.size[2] <= Tiles::MOST * TILE && how.inputs >= 3 &&
           how.size[1] * how.size[2] >= LEAST_PLANE && !how.onto;
  }

  void run() {
    const int groups = (how_.outputs + OUTPUTS - 1) / OUTPUTS;
    on_threads(groups, how_.threads, [&] { return [&](int group) { transform_kernel(group); }; });
    const int depth = how_.out_size[0], layers = (depth + made_ - 1) / made_;
    // Each piece transforms a plane or two that its neighbour has as well
    const int parts = std::max(1, std::min(depth / 4, PIECES * how_.threads / tiles_.strips));
    Gathered gathered(how_, tiles_.strips * depth);
    on_threads(tiles_.strips * parts, how_.threads, [&] {
      return [&, scratch = Scratch(*this)](int piece) {
        const int strip = piece / parts, part = piece % parts;
        const int first = layers * part / parts, past = layers * (part + 1) / parts;
        for (int layer = first; layer < past; layer++) {
          if (deep_)
            make_pair(strip, 2 * layer, layer == first, scratch);
          else
            make_plane(strip, layer, scratch);
          write(strip, layer * made_, scratch, gathered);
        }
      };
    });
    gathered.write();
  }

 private:
  static constexpr int PIECES = 4, LEAST_PLANE = 196, TAPS = 9;
  // What stays in a core's own cache.
  static constexpr int CACHED_POINTS = 1 << 17;
  // Keeps the 36 sums of a voxel from falling into the same sets of the cache.
  static constexpr int APART = 16;

  struct Scratch {
    explicit Scratch(const Winograd& of)
        : points(of.plane_floats() * of.seen_),
          sums(static_cast<size_t>(POINTS) * of.sums_pitch_ * of.made_),
          zeros(static_cast<size_t>(of.points_pitch_)) {
      std::fill_n(zeros.data(), of.points_pitch_, 0.f);
    }
    Floats points, sums;  // of the planes that are seen, and of those that are made
    Floats zeros;         // the points of a plane beyond the border, all alike
  };

  // The points of a plane, `step` floats apart.
  struct Plane {
    const float* points;
    long step;
  };

  size_t plane_floats() const { return static_cast<size_t>(POINTS) * points_pitch_; }

  // Of OUTPUTS outputs, a lane each.
  void transform_kernel(int group) const {
    const int first = group * OUTPUTS, width = std::min(OUTPUTS, how_.outputs - first);
    const int planes = how_.kernel_size[0], taps = planes * TAPS;
    Vector given[3 * TAPS] = {}, deep[SEEN * TAPS];
    for (int input = 0; input < how_.inputs; input++) {
      for (int n = 0; n < width; n++)
        for (int tap = 0; tap < taps; tap++)
          given[tap][n] = how_.kernel[(static_cast<long>(first + n) * how_.inputs + input) * taps + tap];
      if (deep_)
        for (int tap = 0; tap < TAPS; tap++) taps_to_planes(given + tap, TAPS, deep + tap, TAPS);
      for (int plane = 0; plane < seen_; plane++)
        put_weights((deep_ ? deep : given) + plane * TAPS, plane * how_.inputs + input, first, width);
    }
  }

  void put_weights(const Vector* taps, int term, int first, int width) const {
    const int terms = seen_ * how_.inputs;
    const long step = static_cast<long>(terms) * how_.outputs;
    Vector rows[EDGE * 3], points[POINTS];
    for (int i = 0; i < 3; i++) taps_to_points(taps + i, 3, rows + i, 3);
    for (int i = 0; i < EDGE; i++) taps_to_points(rows + 3 * i, 1, points + EDGE * i, 1);
    float* to = weights_.data() + weight_at(term, first, terms, how_.outputs);
    for (int point = 0; point < POINTS; point++, to += step)
      if (width == OUTPUTS)
        std::memcpy(to, &points[point], sizeof(float) * OUTPUTS);
      else
        std::memcpy(to, &points[point], sizeof(float) * width);
  }

  void make_plane(int strip, int plane, const Scratch& scratch) const {
    tiles_.to_points_of(plane, strip, scratch.points.data(), points_pitch_);
    const long weights = static_cast<long>(how_.inputs) * how_.outputs;
    for (int point = 0; point < POINTS; point++)
      multiply(scratch.points.data() + static_cast<long>(point) * points_pitch_, how_.inputs, tiles_.voxels,
               weights_.data() + point * weights, how_.outputs,
               scratch.sums.data() + static_cast<long>(point) * sums_pitch_, tiles_.voxels, tiles_.voxels);
  }

  // Planes `first` and the next; the points of the two before those that both see are there, unless all are `fresh`.
  void make_pair(int strip, int first, bool fresh, const Scratch& scratch) const {
    Plane seen[SEEN];
    for (int i = 0; i < SEEN; i++) {
      const int plane = first - 1 + i;
      float* points = scratch.points.data() + (plane + SEEN) % SEEN * plane_floats();
      const bool inside = plane >= 0 && plane < how_.size[0];
      if (inside && (fresh || i >= 2)) tiles_.to_points_of(plane, strip, points, points_pitch_);
      seen[i] = inside ? Plane{points, points_pitch_} : Plane{scratch.zeros.data(), 0};
    }
    const long weights = static_cast<long>(SEEN) * how_.inputs * how_.outputs;
    for (int point = 0; point < POINTS; point++) {
      const float* rows[SEEN];
      for (int i = 0; i < SEEN; i++) rows[i] = seen[i].points + point * seen[i].step;
      float* sums = scratch.sums.data() + static_cast<long>(point) * sums_pitch_;
      multiply_pair(rows, weights_.data() + point * weights, sums, sums + static_cast<long>(POINTS) * sums_pitch_);
    }
  }

  // A^T of F(2, 3) on the products of a point: upper = m0 + (m1 + m2), lower = (m1 - m2) - m3.
  void multiply_pair(const float* const* d, const float* weights, float* upper, float* lower) const {
    const int inputs = how_.inputs, pitch = tiles_.voxels;
    over_voxels(tiles_.voxels, [&](auto vectors, int t) {
      over_outputs(how_.outputs, [&](auto count, int output) {
        const float* block = weights + static_cast<long>(output) * SEEN * inputs;
        const int step = inputs * count.value;
        float *over = upper + output * pitch + t, *under = lower + output * pitch + t;
        Sums<count.value, vectors.value> sums;
        sums.clear();
        sums.template add<1>(d[1] + t, d[2] + t, inputs, pitch, block + step);
        sums.store_to(over, pitch);
        sums.clear();
        sums.template add<-1>(d[2] + t, d[1] + t, inputs, pitch, block + 2 * step);
        sums.part(over, under, pitch);
        sums.load_from(over, pitch);
        sums.template add<-1>(d[0] + t, d[2] + t, inputs, pitch, block);
        sums.store_to(over, pitch);
        sums.load_from(under, pitch);
        sums.template add<-1>(d[3] + t, d[1] + t, inputs, pitch, block + 3 * step);
        sums.store_to(under, pitch);
      });
    });
  }

  void write(int strip, int first, const Scratch& scratch, Gathered& gathered) const {
    for (int plane = first; plane < std::min(first + made_, how_.out_size[0]); plane++)
      for (int output = 0; output < how_.outputs; output++) {
        const float* sums = scratch.sums.data() + static_cast<long>(plane - first) * POINTS * sums_pitch_;
        tiles_.write_output(output, plane, strip, sums + output * tiles_.voxels, sums_pitch_, gathered);
      }
  }

  const Convolution& how_;
  const bool deep_;         // a kernel of three planes
  const int seen_, made_;   // planes at once
  const Tiles tiles_;
  const int points_pitch_, sums_pitch_;
  const Floats weights_;
};

}  // namespace segcube
