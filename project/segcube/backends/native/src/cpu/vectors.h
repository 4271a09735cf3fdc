// Vectors of the processor's width, in the compiler's vector extension.
#pragma once
#include <cstring>

namespace segcube {

#if defined(SEGCUBE_LANES)
constexpr int LANES = SEGCUBE_LANES;
#elif defined(__AVX512F__)
constexpr int LANES = 16;
#else
constexpr int LANES = 8;
#endif

typedef float Vector __attribute__((vector_size(4 * LANES)));
typedef float Unaligned __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int Indices __attribute__((vector_size(4 * LANES)));

inline Vector load(const float* from) { return *reinterpret_cast<const Unaligned*>(from); }
inline void store(float* to, Vector values) { *reinterpret_cast<Unaligned*>(to) = values; }

// For rows that are too short for a call of memcpy to pay.
inline void copy(const float* from, int count, float* to) {
  int i = 0;
  for (; i + LANES <= count; i += LANES) store(to + i, load(from + i));
  for (; i < count; i++) to[i] = from[i];
}

inline int whole_vectors(int count) { return (count + LANES - 1) / LANES * LANES; }

// 0, 1, .., LANES - 1 as template arguments, for shuffles that depend on the number of lanes.
template <int... lane>
struct Lanes {};
template <int count, int... lane>
struct LaneSequence : LaneSequence<count - 1, count - 1, lane...> {};
template <int... lane>
struct LaneSequence<0, lane...> {
  typedef Lanes<lane...> type;
};

#if defined(__clang__)
#define SEGCUBE_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SEGCUBE_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, Indices{__VA_ARGS__})
#endif

template <int... lane>
inline Vector even_lanes(Vector a, Vector b, Lanes<lane...>) {
  return SEGCUBE_SHUFFLE(a, b, (2 * lane)...);
}
template <int... lane>
inline Vector odd_lanes(Vector a, Vector b, Lanes<lane...>) {
  return SEGCUBE_SHUFFLE(a, b, (2 * lane + 1)...);
}
template <int... lane>
inline Vector interleave_low(Vector a, Vector b, Lanes<lane...>) {
  return SEGCUBE_SHUFFLE(a, b, (lane / 2 + lane % 2 * LANES)...);
}
template <int... lane>
inline Vector interleave_high(Vector a, Vector b, Lanes<lane...>) {
  return SEGCUBE_SHUFFLE(a, b, (lane / 2 + LANES / 2 + lane % 2 * LANES)...);
}
template <int... lane>
inline Vector reverse_lanes(Vector a, Lanes<lane...>) {
  return SEGCUBE_SHUFFLE(a, a, (LANES - 1 - lane)...);
}

typedef LaneSequence<LANES>::type AllLanes;

inline Vector even(Vector a, Vector b) { return even_lanes(a, b, AllLanes{}); }
inline Vector odd(Vector a, Vector b) { return odd_lanes(a, b, AllLanes{}); }
// a0 b0 a1 b1 ..: the lower half of the pairs, and the upper half
inline Vector zip_low(Vector a, Vector b) { return interleave_low(a, b, AllLanes{}); }
inline Vector zip_high(Vector a, Vector b) { return interleave_high(a, b, AllLanes{}); }

inline Vector reversed(Vector a) { return reverse_lanes(a, AllLanes{}); }

inline float sum(Vector values) {
  float total = 0;
  for (int lane = 0; lane < LANES; lane++) total += values[lane];
  return total;
}

}  // namespace segcube
