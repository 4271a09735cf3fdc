// The transforms of Winograd's minimal filtering (Lavin and Gray, 2015, arXiv:1509.09308): F(4, 3) along the last two
// axes and F(2, 3) along the first. A vector holds the same element of LANES tiles.
#pragma once
#include "vectors.h"

namespace segcube {

constexpr int EDGE = 6, TILE = 4, POINTS = EDGE * EDGE;
// Input planes that a pair of output planes depends on.
constexpr int PLANES = 4;

// B^T d of six values that are `from` apart, written `step` apart.
inline void to_points(const Vector* d, int from, Vector* to, int step) {
  const Vector d0 = d[0], d1 = d[from], d2 = d[2 * from], d3 = d[3 * from], d4 = d[4 * from], d5 = d[5 * from];
  const Vector a = d4 - 4.f * d2, b = d3 - 4.f * d1, c = d4 - d2, e = 2.f * (d3 - d1);
  to[0] = 4.f * d0 - 5.f * d2 + d4;
  to[step] = a + b;
  to[2 * step] = a - b;
  to[3 * step] = c + e;
  to[4 * step] = c - e;
  to[5 * step] = 4.f * d1 - 5.f * d3 + d5;
}

// A^T m of six sums.
inline void from_points(const Vector* m, int from, Vector* to, int step) {
  const Vector a = m[from] + m[2 * from], b = m[from] - m[2 * from];
  const Vector c = m[3 * from] + m[4 * from], d = m[3 * from] - m[4 * from];
  to[0] = m[0] + a + c;
  to[step] = b + 2.f * d;
  to[2 * step] = a + 4.f * c;
  to[3 * step] = b + 8.f * d + m[5 * from];
}

// G g of three kernel elements, of F(4, 3).
inline void kernel_to_points(const Vector* g, int from, Vector* to, int step) {
  const Vector even = g[0] + g[2 * from], odd = g[from];
  const Vector far = g[0] * (1 / 24.f) + g[2 * from] * (1 / 6.f), near = odd * (1 / 12.f);
  to[0] = g[0] * 0.25f;
  to[step] = (even + odd) * (-1 / 6.f);
  to[2 * step] = (even - odd) * (-1 / 6.f);
  to[3 * step] = far + near;
  to[4 * step] = far - near;
  to[5 * step] = g[2 * from];
}

// G g of three kernel elements, of F(2, 3).
inline void kernel_to_planes(const Vector* g, int from, Vector* to, int step) {
  const Vector even = g[0] + g[2 * from], odd = g[from];
  to[0] = g[0];
  to[step] = (even + odd) * 0.5f;
  to[2 * step] = (even - odd) * 0.5f;
  to[3 * step] = g[2 * from];
}

}  // namespace segcube
