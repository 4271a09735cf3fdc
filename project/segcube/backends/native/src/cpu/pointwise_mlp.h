// Two pointwise convolutions with a GELU between them, as in a MedNeXt block, without an image of the hidden channels.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "input_norm.h"
#include "product.h"
#include "threads.h"

namespace segcube {

// out = residual + compress(gelu(expand(input_norm(image)))). Python fills it in; structs.py has the same fields.
struct PointwiseMlpArgs {
  const float* image;                     // (inputs, voxels)
  const InputNorm* input_norms;           // (inputs), or null
  const float *expand, *expand_bias;      // (hidden, inputs); (hidden), or null
  const float *compress, *compress_bias;  // (outputs, hidden); (outputs), or null
  const float* residual;                  // like out, or null
  float* out;                             // (outputs, voxels)
  int64_t voxels;
  int32_t inputs, hidden, outputs, threads;
};

// erf to within 4e-7: x times a rational function of x^2, a minimax fit up to END, where 1 - erf is 2e-8.
inline Vector erf_of(Vector values) {
  constexpr float END = 3.95f;
  constexpr float NUMERATOR[] = {2.011732315e-06f, 2.875972617e-04f, 3.917248159e-03f,
                                 5.320685933e-02f, 1.940342936e-01f, 1.128379006e+00f};
  constexpr float DENOMINATOR[] = {3.783942274e-05f, 1.198180167e-03f, 1.527057167e-02f,
                                   1.155901580e-01f, 5.052899049e-01f, 1.000000000e+00f};
  const Vector end = END - Vector{};
  values = values > end ? end : values;
  values = values < -end ? -end : values;
  const Vector square = values * values;
  Vector numerator = NUMERATOR[0] - Vector{}, denominator = DENOMINATOR[0] - Vector{};
  for (int i = 1; i < 6; i++) {
    numerator = numerator * square + NUMERATOR[i];
    denominator = denominator * square + DENOMINATOR[i];
  }
  return values * numerator / denominator;
}

inline Vector gelu(Vector values) {
  constexpr float HALF_ROOT = 0.70710678f;
  return values * (0.5f + 0.5f * erf_of(values * HALF_ROOT));
}

class PointwiseMlp {
 public:
  explicit PointwiseMlp(const PointwiseMlpArgs& args)
      : args_(args),
        voxels_(piece_size(args)),
        pitch_(voxels_ + CACHE_PADDING),
        expand_(static_cast<size_t>(args.inputs) * args.hidden),
        compress_(static_cast<size_t>(args.hidden) * args.outputs) {
    pack(args.expand, args.inputs, args.hidden, expand_.data());
    pack(args.compress, args.hidden, args.outputs, compress_.data());
  }

  void run() const {
    const int pieces = static_cast<int>((args_.voxels + voxels_ - 1) / voxels_);
    on_threads(pieces, args_.threads, [&] {
      return [&, inputs = Floats(static_cast<size_t>(args_.inputs) * pitch_),
              hidden = Floats(static_cast<size_t>(args_.hidden) * pitch_),
              sums = Floats(static_cast<size_t>(args_.outputs) * pitch_)](int piece) {
        const int64_t first = static_cast<int64_t>(piece) * voxels_;
        const int count = static_cast<int>(std::min<int64_t>(voxels_, args_.voxels - first));
        const int whole = whole_vectors(count);
        load_piece(first, count, inputs.data());
        multiply(inputs.data(), args_.inputs, pitch_, expand_.data(), args_.hidden, hidden.data(), pitch_, whole);
        add_bias_gelu(hidden.data(), whole);
        multiply(hidden.data(), args_.hidden, pitch_, compress_.data(), args_.outputs, sums.data(), pitch_, whole);
        for (int n = 0; n < args_.outputs; n++) write(n, first, count, sums.data() + static_cast<long>(n) * pitch_);
      };
    });
  }

 private:
  // Rows that are a power of two apart would share few sets of the cache.
  static constexpr int CACHE_PADDING = 16;

  // Voxels of a piece, whose rows fit into a core's own cache.
  static int piece_size(const PointwiseMlpArgs& args) {
    constexpr int FLOATS = 1 << 15, MAX = 256, MIN = 2 * LANES;
    const int rows = args.inputs + args.hidden + args.outputs;
    return std::min(MAX, std::max(MIN, FLOATS / rows / MIN * MIN));
  }

  static void pack(const float* kernel, int terms, int outputs, float* to) {
    for (int n = 0; n < outputs; n++) pack_weights(kernel + static_cast<long>(n) * terms, n, terms, outputs, to);
  }

  void load_piece(int64_t first, int count, float* to) const {
    for (int c = 0; c < args_.inputs; c++, to += pitch_) {
      const InputNorm* norm = args_.input_norms ? args_.input_norms + c : nullptr;
      copy_normed(args_.image + c * args_.voxels + first, count, norm, to);
      std::fill(to + count, to + whole_vectors(count), 0.f);
    }
  }

  void add_bias_gelu(float* row, int count) const {
    for (int n = 0; n < args_.hidden; n++, row += pitch_) {
      const float bias = args_.expand_bias ? args_.expand_bias[n] : 0.f;
      for (int i = 0; i < count; i += LANES) store(row + i, gelu(load(row + i) + bias));
    }
  }

  void write(int output, int64_t first, int count, const float* sums) const {
    const float bias = args_.compress_bias ? args_.compress_bias[output] : 0.f;
    const int64_t at = output * args_.voxels + first;
    if (args_.residual)
      for (int i = 0; i < count; i++) args_.out[at + i] = args_.residual[at + i] + (sums[i] + bias);
    else
      for (int i = 0; i < count; i++) args_.out[at + i] = sums[i] + bias;
  }

  const PointwiseMlpArgs& args_;
  const int voxels_, pitch_;  // of a piece; floats from one of its rows to the next
  const Floats expand_, compress_;
};

}  // namespace segcube
