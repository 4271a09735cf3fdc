// Convolutions of 3x3x3 and 1x3x3 by Winograd's minimal filtering. Along the last two axes, a tile of 4x4 outputs takes
// 36 products instead of 144; along the first axis, a pair of output planes takes 4 instead of 6.
#pragma once
#include <algorithm>

#include "product.h"
#include "threads.h"
#include "winograd_tiles.h"

namespace segcube {

class Winograd {
 public:
  explicit Winograd(const ConvolutionArgs& args)
      : args_(args),
        deep_(args.kernel_size[0] == 3),
        in_planes_(deep_ ? PLANES : 1),
        out_planes_(deep_ ? 2 : 1),
        tiles_(args, std::max(CACHED_POINTS / (POINTS * (in_planes_ * args.inputs + out_planes_ * args.outputs)),
                              2 * LANES)),
        points_pitch_(args.inputs * tiles_.voxels + CACHE_PADDING),
        sums_pitch_(args.outputs * tiles_.voxels + CACHE_PADDING),
        weights_(static_cast<size_t>(POINTS) * in_planes_ * args.inputs * args.outputs) {}

  static bool fits(const ConvolutionArgs& args) {
    const int32_t *kernel = args.kernel_size, *stride = args.stride, *padding = args.padding;
    return (kernel[0] == 1 || kernel[0] == 3) && kernel[1] == 3 && kernel[2] == 3 && stride[0] == 1 && stride[1] == 1 &&
           stride[2] == 1 && padding[0] == kernel[0] / 2 && padding[1] == 1 && padding[2] == 1 &&
           std::equal(args.size, args.size + 3, args.out_size) && args.size[2] <= Tiles::MAX_TILES * TILE &&
           args.inputs >= 3 && args.size[1] * args.size[2] >= MIN_PLANE && !args.accumulator;
  }

  void run() {
    const int groups = (args_.outputs + OUTPUTS - 1) / OUTPUTS;
    on_threads(groups, args_.threads, [&] { return [&](int group) { transform_kernel(group); }; });
    const int depth = args_.out_size[0], layers = (depth + out_planes_ - 1) / out_planes_;
    // Neighbouring pieces both transform the one or two input planes that they share
    const int parts = std::max(1, std::min(depth / 4, PIECES_PER_THREAD * args_.threads / tiles_.strips));
    OutputMoments moments(args_, tiles_.strips * depth);
    on_threads(tiles_.strips * parts, args_.threads, [&] {
      return [&, scratch = Scratch(*this)](int piece) {
        const int strip = piece / parts, part = piece % parts;
        const int first = layers * part / parts, end = layers * (part + 1) / parts;
        for (int layer = first; layer < end; layer++) {
          if (deep_)
            sum_pair(strip, 2 * layer, layer == first, scratch);
          else
            sum_plane(strip, layer, scratch);
          write(strip, layer * out_planes_, scratch, moments);
        }
      };
    });
    moments.write();
  }

 private:
  static constexpr int PIECES_PER_THREAD = 4, MIN_PLANE = 196, PLANE_WEIGHTS = 9;
  // Floats of points and sums that fit into a core's own cache.
  static constexpr int CACHED_POINTS = 1 << 17;
  // Padding that keeps the 36 points of a voxel out of the same sets of the cache.
  static constexpr int CACHE_PADDING = 16;

  struct Scratch {
    explicit Scratch(const Winograd& of)
        : points(of.plane_floats() * of.in_planes_),
          sums(static_cast<size_t>(POINTS) * of.sums_pitch_ * of.out_planes_),
          zeros(static_cast<size_t>(of.points_pitch_)) {
      std::fill_n(zeros.data(), of.points_pitch_, 0.f);
    }
    Floats points, sums;  // of the input planes, and of the output planes
    Floats zeros;         // the points of every plane beyond the border
  };

  // The points of an input plane, `step` floats apart.
  struct Plane {
    const float* points;
    long step;
  };

  size_t plane_floats() const { return static_cast<size_t>(POINTS) * points_pitch_; }

  // Transform the kernel of a group of OUTPUTS outputs, one output per lane.
  void transform_kernel(int group) const {
    const int first = group * OUTPUTS, width = std::min(OUTPUTS, args_.outputs - first);
    const int planes = args_.kernel_size[0], count = planes * PLANE_WEIGHTS;
    Vector weights[3 * PLANE_WEIGHTS] = {}, deep[PLANES * PLANE_WEIGHTS];
    for (int input = 0; input < args_.inputs; input++) {
      for (int n = 0; n < width; n++)
        for (int i = 0; i < count; i++)
          weights[i][n] = args_.kernel[(static_cast<long>(first + n) * args_.inputs + input) * count + i];
      if (deep_)
        for (int i = 0; i < PLANE_WEIGHTS; i++) kernel_to_planes(weights + i, PLANE_WEIGHTS, deep + i, PLANE_WEIGHTS);
      for (int plane = 0; plane < in_planes_; plane++)
        store_weights((deep_ ? deep : weights) + plane * PLANE_WEIGHTS, plane * args_.inputs + input, first, width);
    }
  }

  void store_weights(const Vector* weights, int term, int first, int width) const {
    const int terms = in_planes_ * args_.inputs;
    const long step = static_cast<long>(terms) * args_.outputs;
    Vector rows[EDGE * 3], points[POINTS];
    for (int i = 0; i < 3; i++) kernel_to_points(weights + i, 3, rows + i, 3);
    for (int i = 0; i < EDGE; i++) kernel_to_points(rows + 3 * i, 1, points + EDGE * i, 1);
    float* to = weights_.data() + weight_offset(term, first, terms, args_.outputs);
    for (int point = 0; point < POINTS; point++, to += step)
      if (width == OUTPUTS)
        std::memcpy(to, &points[point], sizeof(float) * OUTPUTS);
      else
        std::memcpy(to, &points[point], sizeof(float) * width);
  }

  void sum_plane(int strip, int plane, const Scratch& scratch) const {
    tiles_.inputs_to_points(plane, strip, scratch.points.data(), points_pitch_);
    const long weights = static_cast<long>(args_.inputs) * args_.outputs;
    for (int point = 0; point < POINTS; point++)
      multiply(scratch.points.data() + static_cast<long>(point) * points_pitch_, args_.inputs, tiles_.voxels,
               weights_.data() + point * weights, args_.outputs,
               scratch.sums.data() + static_cast<long>(point) * sums_pitch_, tiles_.voxels, tiles_.voxels);
  }

  // Sum output planes `first` and `first + 1`. The first two input planes have their points already unless `fresh`.
  void sum_pair(int strip, int first, bool fresh, const Scratch& scratch) const {
    Plane planes[PLANES];
    for (int i = 0; i < PLANES; i++) {
      const int plane = first - 1 + i;
      float* points = scratch.points.data() + (plane + PLANES) % PLANES * plane_floats();
      const bool inside = plane >= 0 && plane < args_.size[0];
      if (inside && (fresh || i >= 2)) tiles_.inputs_to_points(plane, strip, points, points_pitch_);
      planes[i] = inside ? Plane{points, points_pitch_} : Plane{scratch.zeros.data(), 0};
    }
    const long weights = static_cast<long>(PLANES) * args_.inputs * args_.outputs;
    for (int point = 0; point < POINTS; point++) {
      const float* rows[PLANES];
      for (int i = 0; i < PLANES; i++) rows[i] = planes[i].points + point * planes[i].step;
      float* sums = scratch.sums.data() + static_cast<long>(point) * sums_pitch_;
      multiply_pair(rows, weights_.data() + point * weights, sums, sums + static_cast<long>(POINTS) * sums_pitch_);
    }
  }

  // A^T of F(2, 3) on the products of a point: upper = m0 + (m1 + m2), lower = (m1 - m2) - m3.
  void multiply_pair(const float* const* d, const float* weights, float* upper, float* lower) const {
    const int inputs = args_.inputs, pitch = tiles_.voxels;
    over_voxels(tiles_.voxels, [&](auto vectors, int t) {
      over_outputs(args_.outputs, [&](auto count, int output) {
        const float* block = weights + static_cast<long>(output) * PLANES * inputs;
        const int step = inputs * count.value;
        float *to_upper = upper + output * pitch + t, *to_lower = lower + output * pitch + t;
        Sums<count.value, vectors.value> sums;
        sums.clear();
        sums.template add<1>(d[1] + t, d[2] + t, inputs, pitch, block + step);
        sums.store_to(to_upper, pitch);
        sums.clear();
        sums.template add<-1>(d[2] + t, d[1] + t, inputs, pitch, block + 2 * step);
        sums.split(to_upper, to_lower, pitch);
        sums.load_from(to_upper, pitch);
        sums.template add<-1>(d[0] + t, d[2] + t, inputs, pitch, block);
        sums.store_to(to_upper, pitch);
        sums.load_from(to_lower, pitch);
        sums.template add<-1>(d[3] + t, d[1] + t, inputs, pitch, block + 3 * step);
        sums.store_to(to_lower, pitch);
      });
    });
  }

  void write(int strip, int first, const Scratch& scratch, OutputMoments& moments) const {
    for (int plane = first; plane < std::min(first + out_planes_, args_.out_size[0]); plane++)
      for (int output = 0; output < args_.outputs; output++) {
        const float* sums = scratch.sums.data() + static_cast<long>(plane - first) * POINTS * sums_pitch_;
        tiles_.write_output(output, plane, strip, sums + output * tiles_.voxels, sums_pitch_, moments);
      }
  }

  const ConvolutionArgs& args_;
  const bool deep_;                   // whether the kernel has three planes
  const int in_planes_, out_planes_;  // of one step along the first axis
  const Tiles tiles_;
  const int points_pitch_, sums_pitch_;
  const Floats weights_;
};

}  // namespace segcube
