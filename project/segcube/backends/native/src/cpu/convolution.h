// What the convolutions are told, and what they share.
#pragma once
#include <cstdint>
#include <vector>

#include "onto.h"
#include "reading.h"

namespace segcube {

// A convolution of (C, D, H, W) images in float32, one window; Python fills it in field by field.
struct Convolution {
  const float* const* channels;  // where each channel of the input begins; they need not lie side by side
  const Reading* readings;       // (inputs): what is done to each as it is read; or null
  const float* kernel;           // (outputs, inputs, kd, kh, kw); transposed: (inputs, outputs, kd, kh, kw)
  const float* bias;             // (outputs), or null
  float* out;                    // (outputs, D, H, W), or null
  const Onto* onto;              // where outputs are added instead, or null
  float* moments;                // (outputs, 2): mean and variance of each output; or null
  int32_t inputs, outputs;
  int32_t size[3], out_size[3], kernel_size[3], stride[3], before[3];
  int32_t threads;

  const Reading* reading(int channel) const { return readings ? readings + channel : nullptr; }
  const float* row(int channel, int z, int y) const {
    return channels[channel] + (static_cast<long>(z) * size[1] + y) * size[2];
  }
};

inline long volume(const int32_t* size) { return static_cast<long>(size[0]) * size[1] * size[2]; }

// Mean and squared deviations of values that come piece by piece.
struct Moments {
  double count = 0, mean = 0, squares = 0;

  // Two sets as one (Chan, Golub and LeVeque, 1983).
  void add(const Moments& other) {
    if (other.count == 0) return;
    const double all = count + other.count, apart = other.mean - mean;
    mean += apart * other.count / all;
    squares += other.squares + apart * apart * count * other.count / all;
    count = all;
  }
};

// Of values few enough for sums in float32.
inline Moments moments_of(const float* values, int count) {
  const int whole = count / LANES * LANES;
  Vector total{};
  for (int i = 0; i < whole; i += LANES) total += load(values + i);
  double rest = 0;
  for (int i = whole; i < count; i++) rest += values[i];
  const float near = static_cast<float>((sum(total) + rest) / count);
  // What the rounded mean is off goes back in
  Vector offs{}, squares{};
  for (int i = 0; i < whole; i += LANES) {
    const Vector off = load(values + i) - near;
    offs += off;
    squares += off * off;
  }
  double rest_off = sum(offs), rest_squares = sum(squares);
  for (int i = whole; i < count; i++) {
    const double off = values[i] - static_cast<double>(near);
    rest_off += off;
    rest_squares += off * off;
  }
  const double off = rest_off / count;
  return {static_cast<double>(count), near + off, rest_squares - off * off * count};
}

// The moments of all outputs, put together in one order whichever thread found them: a run repeated gives the same
// bits.
class Gathered {
 public:
  Gathered(const Convolution& how, int pieces)
      : how_(how), found_(how.moments ? static_cast<size_t>(pieces) * how.outputs : 0) {}

  // At what an output has in a piece, or at more of it: `count` values side by side.
  void look(int piece, int output, const float* values, int count) {
    if (how_.moments) found_[static_cast<size_t>(piece) * how_.outputs + output].add(moments_of(values, count));
  }

  void write() const {
    if (!how_.moments) return;
    std::vector<Moments> all(how_.outputs);
    for (size_t i = 0; i < found_.size(); i++) all[i % how_.outputs].add(found_[i]);
    for (int n = 0; n < how_.outputs; n++) {
      how_.moments[2 * n] = static_cast<float>(all[n].mean);
      how_.moments[2 * n + 1] = static_cast<float>(all[n].squares / all[n].count);
    }
  }

 private:
  const Convolution& how_;
  std::vector<Moments> found_;
};

}  // namespace segcube
