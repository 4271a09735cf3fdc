// Products of small matrices, to which all convolutions here reduce.
#pragma once
#include <type_traits>

#include "vectors.h"

namespace segcube {

// Outputs that are summed at once, with two vectors of voxels each: AVX2's 16 registers hold 12 sums, 2 vectors of
// inputs and a weight. AVX-512 has 32 registers, and networks have multiples of 8 channels.
constexpr int OUTPUTS = LANES == 16 ? 8 : 6;

template <int number>
using Count = std::integral_constant<int, number>;

// Call sum(Count<vectors>, first voxel) for the vectors of a row: pairs of vectors, then the last one.
template <class Sum>
inline void over_voxels(int voxels, const Sum& sum) {
  int t = 0;
  for (; t + 2 * LANES <= voxels; t += 2 * LANES) sum(Count<2>{}, t);
  if (t < voxels) sum(Count<1>{}, t);
}

// Call sum(Count<outputs>, first) for fewer than `end` outputs, if there are any.
template <int end, class Sum>
inline void over_last_outputs(int outputs, int first, const Sum& sum) {
  if constexpr (end > 1) {
    if (outputs == end - 1)
      sum(Count<end - 1>{}, first);
    else
      over_last_outputs<end - 1>(outputs, first, sum);
  }
}

// Call sum(Count<outputs>, first output) for the outputs: OUTPUTS at once, then the rest.
template <class Sum>
inline void over_outputs(int outputs, const Sum& sum) {
  int n = 0;
  for (; n + OUTPUTS <= outputs; n += OUTPUTS) sum(Count<OUTPUTS>{}, n);
  over_last_outputs<OUTPUTS>(outputs - n, n, sum);
}

// The offset of the weight of a term and an output: blocks of [term][output] for OUTPUTS outputs, then the rest.
inline long weight_offset(int term, int output, int terms, int outputs) {
  const int first = output / OUTPUTS * OUTPUTS;
  const int width = outputs - first < OUTPUTS ? outputs - first : OUTPUTS;
  return static_cast<long>(first) * terms + static_cast<long>(term) * width + (output - first);
}

// Store an output's weights, one per term, at their offsets.
inline void pack_weights(const float* kernel, int output, int terms, int outputs, float* to) {
  for (int term = 0; term < terms; term++) to[weight_offset(term, output, terms, outputs)] = kernel[term];
}

// Sums for N outputs of V vectors of voxels.
template <int N, int V>
struct Sums {
  Vector total[N][V];

  void clear() {
    for (auto& row : total)
      for (Vector& values : row) values = Vector{};
  }
  void fill(float value) {
    for (auto& row : total)
      for (Vector& values : row) values = value - Vector{};
  }
  void load_from(const float* from, int pitch) {
    for (int n = 0; n < N; n++)
      for (int v = 0; v < V; v++) total[n][v] = load(from + n * pitch + v * LANES);
  }
  void store_to(float* to, int pitch) const {
    for (int n = 0; n < N; n++)
      for (int v = 0; v < V; v++) store(to + n * pitch + v * LANES, total[n][v]);
  }

  // Store the first `count` voxels of each row, at most all.
  void write(float* to, int pitch, int count) const {
    if (count >= V * LANES) return store_to(to, pitch);
    float whole[N * V * LANES];
    store_to(whole, V * LANES);
    for (int n = 0; n < N; n++) copy(whole + n * V * LANES, count, to + static_cast<long>(n) * pitch);
  }

  // With s at `sum`: store s + total there, and s - total at `difference`.
  void split(float* sum, float* difference, int pitch) const {
    for (int n = 0; n < N; n++)
      for (int v = 0; v < V; v++) {
        const Vector other = load(sum + n * pitch + v * LANES);
        store(sum + n * pitch + v * LANES, other + total[n][v]);
        store(difference + n * pitch + v * LANES, other - total[n][v]);
      }
  }

  // total[n] += weight * rows[n]; rows are `pitch` floats apart.
  void add_rows(const float* rows, int pitch, float weight) {
    for (int n = 0; n < N; n++)
      for (int v = 0; v < V; v++) total[n][v] += weight * load(rows + n * static_cast<long>(pitch) + v * LANES);
  }

  // total[n] += weight[term][n] * (row[term] + sign * other[term]); rows of terms are `pitch` floats apart.
  template <int sign>
  void add(const float* row, const float* other, int terms, int pitch, const float* weights) {
    for (int term = 0; term < terms; term++) {
      Vector voxels[V];
      for (int v = 0; v < V; v++) {
        voxels[v] = load(row + v * LANES);
        if (sign > 0) voxels[v] += load(other + v * LANES);
        if (sign < 0) voxels[v] -= load(other + v * LANES);
      }
      for (int n = 0; n < N; n++)
        for (int v = 0; v < V; v++) total[n][v] += weights[n] * voxels[v];
      row += pitch;
      if (sign) other += pitch;
      weights += N;
    }
  }
};

// sums[n][t] = sum over terms of weight(term, n) * rows[term][t] for t < voxels, a multiple of LANES.
inline void multiply(const float* rows, int terms, int pitch, const float* weights, int outputs, float* sums,
                     int sums_pitch, int voxels) {
  over_voxels(voxels, [&](auto vectors, int t) {
    over_outputs(outputs, [&](auto count, int first) {
      Sums<count.value, vectors.value> block;
      block.clear();
      block.template add<0>(rows + t, nullptr, terms, pitch, weights + static_cast<long>(first) * terms);
      block.store_to(sums + static_cast<long>(first) * sums_pitch + t, sums_pitch);
    });
  });
}

}  // namespace segcube
