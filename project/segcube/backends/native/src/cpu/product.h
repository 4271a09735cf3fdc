// Products of small matrices, which all convolutions here come down to.
#pragma once
#include <type_traits>

#include "lanes.h"

namespace segcube {

// Outputs that are summed at once, with two vectors of voxels each: 12 sums, 2 vectors and a weight in 16 registers.
// AVX-512 has 32 of them; networks have multiples of 8 channels.
constexpr int OUTPUTS = LANES == 16 ? 8 : 6;

template <int number>
using Count = std::integral_constant<int, number>;

// Do a task for the vectors of a row, in twos and the rest: sum(Count<vectors>, first voxel).
template <class Sum>
inline void over_voxels(int voxels, const Sum& sum) {
  int t = 0;
  for (; t + 2 * LANES <= voxels; t += 2 * LANES) sum(Count<2>{}, t);
  if (t < voxels) sum(Count<1>{}, t);
}

// Do a task for fewer than `past` outputs, if there are any.
template <int past, class Sum>
inline void over_last_outputs(int outputs, int first, const Sum& sum) {
  if constexpr (past > 1) {
    if (outputs == past - 1)
      sum(Count<past - 1>{}, first);
    else
      over_last_outputs<past - 1>(outputs, first, sum);
  }
}

// Do a task for the outputs, OUTPUTS at once and the rest: sum(Count<outputs>, first output).
template <class Sum>
inline void over_outputs(int outputs, const Sum& sum) {
  int n = 0;
  for (; n + OUTPUTS <= outputs; n += OUTPUTS) sum(Count<OUTPUTS>{}, n);
  over_last_outputs<OUTPUTS>(outputs - n, n, sum);
}

// Where the weight of a term and an output stands: a block of [term][output] for each OUTPUTS outputs, and the rest.
inline long weight_at(int term, int output, int terms, int outputs) {
  const int first = output / OUTPUTS * OUTPUTS;
  const int width = outputs - first < OUTPUTS ? outputs - first : OUTPUTS;
  return static_cast<long>(first) * terms + static_cast<long>(term) * width + (output - first);
}

// An output's weights, a term each, put where they stand.
inline void lay_out_weights(const float* kernel, int output, int terms, int outputs, float* to) {
  for (int term = 0; term < terms; term++) to[weight_at(term, output, terms, outputs)] = kernel[term];
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

  // The first `count` voxels of each row, or all.
  void write(float* to, int pitch, int count) const {
    if (count >= V * LANES) return store_to(to, pitch);
    float whole[N * V * LANES];
    store_to(whole, V * LANES);
    for (int n = 0; n < N; n++) copy(whole + n * V * LANES, count, to + static_cast<long>(n) * pitch);
  }

  // What lies at `sum` is s: there comes s + total, and s - total at `difference`.
  void part(float* sum, float* difference, int pitch) const {
    for (int n = 0; n < N; n++)
      for (int v = 0; v < V; v++) {
        const Vector other = load(sum + n * pitch + v * LANES);
        store(sum + n * pitch + v * LANES, other + total[n][v]);
        store(difference + n * pitch + v * LANES, other - total[n][v]);
      }
  }

  // total[n] += weight * the row n; rows lie `pitch` floats apart.
  void add_rows(const float* rows, int pitch, float weight) {
    for (int n = 0; n < N; n++)
      for (int v = 0; v < V; v++) total[n][v] += weight * load(rows + n * static_cast<long>(pitch) + v * LANES);
  }

  // total[n] += weight[term][n] * (row[term] + sign * other[term]); rows of terms lie `pitch` floats apart.
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

// sums[n][t] = sum over the terms of weight(term, n) * rows[term][t] for t < voxels, whole vectors.
inline void multiply(const float* rows, int terms, int pitch, const float* weights, int outputs, float* sums,
                     int sums_pitch, int voxels) {
  over_voxels(voxels, [&](auto vectors, int t) {
    over_outputs(outputs, [&](auto count, int first) {
      Sums<count.value, vectors.value> found;
      found.clear();
      found.template add<0>(rows + t, nullptr, terms, pitch, weights + static_cast<long>(first) * terms);
      found.store_to(sums + static_cast<long>(first) * sums_pitch + t, sums_pitch);
    });
  });
}

}  // namespace segcube
