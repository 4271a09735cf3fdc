// What is done to channels as they are read: a norm and a rectifier that need no image of their own.
#pragma once
#include "lanes.h"

namespace segcube {

// leaky((value - mean) * scale + shift); Python fills it in.
struct Reading {
  float mean, scale, shift;
  float slope;  // below zero; 1 leaves all as it is

  bool changes() const { return mean != 0 || scale != 1 || shift != 0 || slope != 1; }

  float operator()(float value) const {
    const float made = (value - mean) * scale + shift;
    return made > 0 ? made : made * slope;
  }
  Vector operator()(Vector values) const {
    const Vector made = (values - mean) * scale + shift, below = made * slope;
    return made > 0 ? made : below;
  }
};

// how: null to take them as they are.
inline void read(const float* from, int count, const Reading* how, float* to) {
  if (!how || !how->changes()) return copy(from, count, to);
  const Reading reading = *how;
  int i = 0;
  for (; i + LANES <= count; i += LANES) store(to + i, reading(load(from + i)));
  for (; i < count; i++) to[i] = reading(from[i]);
}

// Ask for a row ahead of its turn: one channel's rows lie so far from the next one's that the processor sees no order.
inline void ask_for(const float* row, int count) {
  constexpr int LINE_OF_CACHE = 16;
  for (int x = 0; x < count; x += LINE_OF_CACHE) __builtin_prefetch(row + x);
}

}  // namespace segcube
