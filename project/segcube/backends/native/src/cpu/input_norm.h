// An instance norm and a rectifier applied to channels while they are read, so that no normalised copy exists.
#pragma once
#include "vectors.h"

namespace segcube {

// leaky((value - mean) * scale + shift) of one channel; Python fills it in.
struct InputNorm {
  float mean, scale, shift;
  float slope;  // below zero; 1 for no rectifier

  bool is_active() const { return mean != 0 || scale != 1 || shift != 0 || slope != 1; }

  float operator()(float value) const {
    const float normed = (value - mean) * scale + shift;
    return normed > 0 ? normed : normed * slope;
  }
  Vector operator()(Vector values) const {
    const Vector normed = (values - mean) * scale + shift, below = normed * slope;
    return normed > 0 ? normed : below;
  }
};

// Copy `count` values normalised; norm: null for a plain copy.
inline void copy_normed(const float* from, int count, const InputNorm* norm, float* to) {
  if (!norm || !norm->is_active()) return copy(from, count, to);
  const InputNorm apply = *norm;
  int i = 0;
  for (; i + LANES <= count; i += LANES) store(to + i, apply(load(from + i)));
  for (; i < count; i++) to[i] = apply(from[i]);
}

// Prefetch a row: the rows of successive channels are too far apart for the hardware prefetcher.
inline void prefetch_row(const float* row, int count) {
  constexpr int CACHE_LINE = 16;
  for (int x = 0; x < count; x += CACHE_LINE) __builtin_prefetch(row + x);
}

}  // namespace segcube
