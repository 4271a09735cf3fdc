// Products of small matrices, which all convolutions here come down to.
#pragma once
#include "lanes.h"

namespace segcube {

// Outputs that are summed at once, with two vectors of voxels each: 12 sums, 2 vectors and a weight in 16 registers.
constexpr int OUTPUTS = 6;

// Terms of a sum: `count` rows of voxels, `pitch` floats apart; null where all of them are zero.
struct Rows {
  const float* first;
  int count, pitch;
};

// sums[n][t] = sum over the terms of weight[term][n] * row[term][t], n < N, t < V vectors.
template <int N, int V>
inline void sum_products(const Rows* rows, int blocks, const float* weights, float* sums, int sums_pitch) {
  Vector total[N][V];
  for (int n = 0; n < N; n++)
    for (int v = 0; v < V; v++) total[n][v] = Vector{};
  for (int block = 0; block < blocks; block++) {
    const float* row = rows[block].first;
    if (!row) {
      weights += static_cast<long>(rows[block].count) * N;
      continue;
    }
    for (int term = 0; term < rows[block].count; term++) {
      Vector voxels[V];
      for (int v = 0; v < V; v++) voxels[v] = load(row + v * LANES);
      for (int n = 0; n < N; n++)
        for (int v = 0; v < V; v++) total[n][v] += weights[n] * voxels[v];
      row += rows[block].pitch;
      weights += N;
    }
  }
  for (int n = 0; n < N; n++)
    for (int v = 0; v < V; v++) store(sums + n * sums_pitch + v * LANES, total[n][v]);
}

template <int V>
inline void sum_for_outputs(const Rows* rows, int blocks, int terms, const float* weights, int outputs, float* sums,
                            int pitch) {
  int n = 0;
  for (; n + OUTPUTS <= outputs; n += OUTPUTS) {
    sum_products<OUTPUTS, V>(rows, blocks, weights, sums + n * pitch, pitch);
    weights += static_cast<long>(terms) * OUTPUTS;
  }
  float* rest = sums + n * pitch;
  switch (outputs - n) {
    case 1: sum_products<1, V>(rows, blocks, weights, rest, pitch); break;
    case 2: sum_products<2, V>(rows, blocks, weights, rest, pitch); break;
    case 3: sum_products<3, V>(rows, blocks, weights, rest, pitch); break;
    case 4: sum_products<4, V>(rows, blocks, weights, rest, pitch); break;
    case 5: sum_products<5, V>(rows, blocks, weights, rest, pitch); break;
  }
}

// sums[n][t], `pitch` floats apart, for n < outputs and t < voxels (whole vectors).
// weights: for each OUTPUTS outputs (and the rest) a block of [term][output], terms in the order of the rows.
inline void multiply(const Rows* rows, int blocks, const float* weights, int outputs, float* sums, int pitch,
                     int voxels) {
  constexpr int MOST = 3;
  Rows moved[MOST];
  int terms = 0;
  for (int block = 0; block < blocks; block++) {
    moved[block] = rows[block];
    terms += rows[block].count;
  }
  for (int t = 0; t < voxels;) {
    const int vectors = t + 2 * LANES <= voxels ? 2 : 1;
    for (int block = 0; block < blocks; block++)
      if (rows[block].first) moved[block].first = rows[block].first + t;
    if (vectors == 2)
      sum_for_outputs<2>(moved, blocks, terms, weights, outputs, sums + t, pitch);
    else
      sum_for_outputs<1>(moved, blocks, terms, weights, outputs, sums + t, pitch);
    t += vectors * LANES;
  }
}

// Where the weight of a term and an output stands among the weights of `multiply`.
inline long weight_at(int term, int output, int terms, int outputs) {
  const int first = output / OUTPUTS * OUTPUTS;
  const int width = outputs - first < OUTPUTS ? outputs - first : OUTPUTS;
  return static_cast<long>(first) * terms + static_cast<long>(term) * width + (output - first);
}

}  // namespace segcube
