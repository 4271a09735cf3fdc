// Vectors as wide as the processor has them, by the compiler's own vector types.
#pragma once
#include <cstring>

namespace segcube {

#if defined(LANES_ASKED)
constexpr int LANES = LANES_ASKED;
#elif defined(__AVX512F__)
constexpr int LANES = 16;
#else
constexpr int LANES = 8;
#endif

typedef float Vector __attribute__((vector_size(4 * LANES)));
typedef float Unaligned __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int Order __attribute__((vector_size(4 * LANES)));

inline Vector load(const float* from) { return *reinterpret_cast<const Unaligned*>(from); }
inline void store(float* to, Vector values) { *reinterpret_cast<Unaligned*>(to) = values; }

// For rows too short for a call of the library's.
inline void copy(const float* from, int count, float* to) {
  int i = 0;
  for (; i + LANES <= count; i += LANES) store(to + i, load(from + i));
  for (; i < count; i++) to[i] = from[i];
}

inline int whole_vectors(int count) { return (count + LANES - 1) / LANES * LANES; }

// The numbers of the lanes, for orders that depend on how many there are.
template <int... lane>
struct Lanes {};
template <int count, int... lane>
struct Counted : Counted<count - 1, count - 1, lane...> {};
template <int... lane>
struct Counted<0, lane...> {
  typedef Lanes<lane...> type;
};

#if defined(__clang__)
#define SEGCUBE_PICK(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SEGCUBE_PICK(a, b, ...) __builtin_shuffle(a, b, Order{__VA_ARGS__})
#endif

template <int... lane>
inline Vector every_second(Vector a, Vector b, Lanes<lane...>) {
  return SEGCUBE_PICK(a, b, (2 * lane)...);
}
template <int... lane>
inline Vector every_second_from_1(Vector a, Vector b, Lanes<lane...>) {
  return SEGCUBE_PICK(a, b, (2 * lane + 1)...);
}
template <int... lane>
inline Vector first_of_each(Vector a, Vector b, Lanes<lane...>) {
  return SEGCUBE_PICK(a, b, (lane / 2 + lane % 2 * LANES)...);
}
template <int... lane>
inline Vector last_of_each(Vector a, Vector b, Lanes<lane...>) {
  return SEGCUBE_PICK(a, b, (lane / 2 + LANES / 2 + lane % 2 * LANES)...);
}
template <int... lane>
inline Vector last_first(Vector a, Lanes<lane...>) {
  return SEGCUBE_PICK(a, a, (LANES - 1 - lane)...);
}

typedef Counted<LANES>::type All;

inline Vector even(Vector a, Vector b) { return every_second(a, b, All{}); }
inline Vector odd(Vector a, Vector b) { return every_second_from_1(a, b, All{}); }
// a0 b0 a1 b1 ..: the first half of the pairs, and the second
inline Vector zip_low(Vector a, Vector b) { return first_of_each(a, b, All{}); }
inline Vector zip_high(Vector a, Vector b) { return last_of_each(a, b, All{}); }

inline Vector turned(Vector a) { return last_first(a, All{}); }

inline float sum(Vector values) {
  float total = 0;
  for (int lane = 0; lane < LANES; lane++) total += values[lane];
  return total;
}

}  // namespace segcube
