// Channels widened and narrowed again at each voxel, a GELU between; what stands between them has no image.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "product.h"
#include "reading.h"
#include "threads.h"

namespace segcube {

// out = residual + narrow(gelu(widen(reading(image)))); Python fills it in.
struct Widening {
  const float* image;       // (inputs, voxels)
  const Reading* readings;  // (inputs), or null
  const float *widen, *widen_bias;    // (wide, inputs), (wide)
  const float *narrow, *narrow_bias;  // (outputs, wide), (outputs)
  const float* residual;    // like out, or null
  float* out;               // (outputs, voxels)
  int64_t voxels;
  int32_t inputs, wide, outputs, threads;
};

// erf to 4e-7: an odd quotient of polynomials in the square, fitted to the least error up to where 1 - erf is 2e-8.
inline Vector erf_of(Vector values) {
  constexpr float END = 3.95f;
  constexpr float ABOVE[] = {2.011732315e-06f, 2.875972617e-04f, 3.917248159e-03f,
                             5.320685933e-02f, 1.940342936e-01f, 1.128379006e+00f};
  constexpr float BELOW[] = {3.783942274e-05f, 1.198180167e-03f, 1.527057167e-02f,
                             1.155901580e-01f, 5.052899049e-01f, 1.000000000e+00f};
  const Vector end = END - Vector{};
  values = values > end ? end : values;
  values = values < -end ? -end : values;
  const Vector square = values * values;
  Vector above = ABOVE[0] - Vector{}, below = BELOW[0] - Vector{};
  for (int i = 1; i < 6; i++) {
    above = above * square + ABOVE[i];
    below = below * square + BELOW[i];
  }
  return values * above / below;
}

inline Vector gelu(Vector values) {
  constexpr float HALF_ROOT = 0.70710678f;
  return values * (0.5f + 0.5f * erf_of(values * HALF_ROOT));
}

class Widened {
 public:
  explicit Widened(const Widening& how)
      : how_(how),
        voxels_(piece_of(how)),
        pitch_(voxels_ + APART),
        widen_(static_cast<size_t>(how.inputs) * how.wide),
        narrow_(static_cast<size_t>(how.wide) * how.outputs) {
    lay_out(how.widen, how.inputs, how.wide, widen_.data());
    lay_out(how.narrow, how.wide, how.outputs, narrow_.data());
  }

  void run() const {
    const int pieces = static_cast<int>((how_.voxels + voxels_ - 1) / voxels_);
    on_threads(pieces, how_.threads, [&] {
      return [&, seen = Floats(static_cast<size_t>(how_.inputs) * pitch_),
              wide = Floats(static_cast<size_t>(how_.wide) * pitch_),
              made = Floats(static_cast<size_t>(how_.outputs) * pitch_)](int piece) {
        const int64_t first = static_cast<int64_t>(piece) * voxels_;
        const int count = static_cast<int>(std::min<int64_t>(voxels_, how_.voxels - first));
        const int whole = whole_vectors(count);
        take(first, count, seen.data());
        multiply(seen.data(), how_.inputs, pitch_, widen_.data(), how_.wide, wide.data(), pitch_, whole);
        bend(wide.data(), whole);
        multiply(wide.data(), how_.wide, pitch_, narrow_.data(), how_.outputs, made.data(), pitch_, whole);
        for (int n = 0; n < how_.outputs; n++) write(n, first, count, made.data() + static_cast<long>(n) * pitch_);
      };
    });
  }

 private:
  // A line of the cache: rows a power of two apart would lie in few of its sets.
  static constexpr int APART = 16;

  // What a piece's rows may take of a core's own cache.
  static int piece_of(const Widening& how) {
    constexpr int FLOATS = 1 << 15, MOST = 256, LEAST = 2 * LANES;
    const int rows = how.inputs + how.wide + how.outputs;
    return std::min(MOST, std::max(LEAST, FLOATS / rows / LEAST * LEAST));
  }

  static void lay_out(const float* kernel, int terms, int outputs, float* to) {
    for (int n = 0; n < outputs; n++) lay_out_weights(kernel + static_cast<long>(n) * terms, n, terms, outputs, to);
  }

  void take(int64_t first, int count, float* to) const {
    for (int c = 0; c < how_.inputs; c++, to += pitch_) {
      read(how_.image + c * how_.voxels + first, count, how_.readings ? how_.readings + c : nullptr, to);
      std::fill(to + count, to + whole_vectors(count), 0.f);
    }
  }

  void bend(float* row, int count) const {
    for (int n = 0; n < how_.wide; n++, row += pitch_) {
      const float bias = how_.widen_bias ? how_.widen_bias[n] : 0.f;
      for (int i = 0; i < count; i += LANES) store(row + i, gelu(load(row + i) + bias));
    }
  }

  void write(int output, int64_t first, int count, const float* sums) const {
    const float bias = how_.narrow_bias ? how_.narrow_bias[output] : 0.f;
    const int64_t at = output * how_.voxels + first;
    if (how_.residual)
      for (int i = 0; i < count; i++) how_.out[at + i] = how_.residual[at + i] + (sums[i] + bias);
    else
      for (int i = 0; i < count; i++) how_.out[at + i] = sums[i] + bias;
  }

  const Widening& how_;
  const int voxels_, pitch_;  // of a piece; from one row of them to the next
  const Floats widen_, narrow_;
};

}  // namespace segcube
