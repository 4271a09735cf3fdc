// The arguments of convolutions, and the moments of their outputs.
#pragma once
#include <cstdint>
#include <vector>

#include "accumulator.h"
#include "input_norm.h"

namespace segcube {

// A convolution of one (C, D, H, W) float32 image. Python fills it in; structs.py has the same fields.
struct ConvolutionArgs {
  const float* const* channels;    // the first voxel of each input channel; channels need not be adjacent
  const InputNorm* input_norms;    // (inputs), or null
  const float* kernel;             // (outputs, inputs, kd, kh, kw); transposed: (inputs, outputs, kd, kh, kw)
  const float* bias;               // (outputs), or null
  float* out;                      // (outputs, D, H, W), or null
  const Accumulator* accumulator;  // where outputs are added instead, or null
  float* moments;                  // (outputs, 2), written: mean and variance of each output; or null
  int32_t inputs, outputs;
  int32_t size[3], out_size[3], kernel_size[3], stride[3], padding[3];
  int32_t threads;

  const InputNorm* input_norm(int channel) const { return input_norms ? input_norms + channel : nullptr; }
  const float* row(int channel, int z, int y) const {
    return channels[channel] + (static_cast<long>(z) * size[1] + y) * size[2];
  }
};

inline long volume(const int32_t* size) { return static_cast<long>(size[0]) * size[1] * size[2]; }

// Count, mean and sum of squared deviations of values that arrive in pieces.
struct Moments {
  double count = 0, mean = 0, squares = 0;

  // Merge another set (Chan, Golub and LeVeque, 1983).
  void add(const Moments& other) {
    if (other.count == 0) return;
    const double all = count + other.count, difference = other.mean - mean;
    mean += difference * other.count / all;
    squares += other.squares + difference * difference * count * other.count / all;
    count = all;
  }
};

// The moments of values that are few enough for sums in float32.
inline Moments moments_of(const float* values, int count) {
  const int whole = count / LANES * LANES;
  Vector total{};
  for (int i = 0; i < whole; i += LANES) total += load(values + i);
  double rest = 0;
  for (int i = whole; i < count; i++) rest += values[i];
  const float center = static_cast<float>((sum(total) + rest) / count);
  // Corrects for the rounding of the center
  Vector deviations{}, squares{};
  for (int i = 0; i < whole; i += LANES) {
    const Vector deviation = load(values + i) - center;
    deviations += deviation;
    squares += deviation * deviation;
  }
  double rest_deviation = sum(deviations), rest_squares = sum(squares);
  for (int i = whole; i < count; i++) {
    const double deviation = values[i] - static_cast<double>(center);
    rest_deviation += deviation;
    rest_squares += deviation * deviation;
  }
  const double deviation = rest_deviation / count;
  return {static_cast<double>(count), center + deviation, rest_squares - deviation * deviation * count};
}

// The moments of all outputs. Pieces are merged in a fixed order whichever thread computed them, so that repeated runs
// give the same bits.
class OutputMoments {
 public:
  OutputMoments(const ConvolutionArgs& args, int pieces)
      : args_(args), pieces_(args.moments ? static_cast<size_t>(pieces) * args.outputs : 0) {}

  // Add `count` adjacent values of an output to the moments of a piece.
  void add(int piece, int output, const float* values, int count) {
    if (args_.moments) pieces_[static_cast<size_t>(piece) * args_.outputs + output].add(moments_of(values, count));
  }

  void write() const {
    if (!args_.moments) return;
    std::vector<Moments> all(args_.outputs);
    for (size_t i = 0; i < pieces_.size(); i++) all[i % args_.outputs].add(pieces_[i]);
    for (int n = 0; n < args_.outputs; n++) {
      args_.moments[2 * n] = static_cast<float>(all[n].mean);
      args_.moments[2 * n + 1] = static_cast<float>(all[n].squares / all[n].count);
    }
  }

 private:
  const ConvolutionArgs& args_;
  std::vector<Moments> pieces_;
};

}  // namespace segcube
