// Strips of a plane: rows of tiles of 4x4 voxels, which Winograd's filtering takes as points, and their way back.
#pragma once
#include <algorithm>

#include "convolution.h"
#include "points.h"

namespace segcube {

class Tiles {
 public:
  static constexpr int MOST = 64;

  // most: tiles that a strip may have; it has a row of them at least.
  Tiles(const Convolution& how, int most)
      : tiles((how.out_size[2] + TILE - 1) / TILE),
        tile_rows((how.out_size[1] + TILE - 1) / TILE),
        rows(std::min(tile_rows, std::max(1, std::min(most, MOST) / tiles))),
        strips((tile_rows + rows - 1) / rows),
        voxels(whole_vectors(rows * tiles)),
        how_(how) {}

  const int tiles, tile_rows;  // of a row, and of a plane
  const int rows, strips;      // rows of tiles a strip, and strips a plane
  const int voxels;            // tiles of a strip, in whole vectors

  // To [point][channel][tile], points `pitch` floats apart.
  void to_points_of(int plane, int strip, float* points, int pitch) const {
    float seen[EDGE][EDGE][LINE_TILES];
    // What no tile fills must still be numbers: odd ones take long
    for (auto& row : seen)
      for (auto& values : row) std::fill(values + rows * tiles, values + voxels, 0.f);
    for (int channel = 0; channel < how_.inputs; channel++) {
      for (int tile_row = 0; tile_row < rows; tile_row++) {
        const int at = tile_row * tiles, row = (strip * rows + tile_row) * TILE - 1;
        for (int i = 0; i < EDGE; i++)
          if (tile_row > 0 && i < EDGE - TILE)
            for (int k = 0; k < EDGE; k++) copy(seen[TILE + i][k] + at - tiles, tiles, seen[i][k] + at);
          else
            take_row(channel, plane, row + i, seen[i], at);
      }
      for (int t = 0; t < voxels; t += LANES) {
        Vector across[POINTS], both[POINTS];
        for (int i = 0; i < EDGE; i++) {
          Vector values[EDGE];
          for (int k = 0; k < EDGE; k++) values[k] = load(&seen[i][k][t]);
          to_points(values, 1, across + EDGE * i, 1);
        }
        for (int k = 0; k < EDGE; k++) to_points(across + k, EDGE, both + k, EDGE);
        float* to = points + channel * voxels + t;
        for (int point = 0; point < POINTS; point++) store(to + static_cast<long>(point) * pitch, both[point]);
      }
    }
  }

  // The strip's part of an output's plane, from sums that lie [point][tile].
  void write_output(int output, int plane, int strip, const float* sums, int pitch, Gathered& gathered) const {
    float made[TILE][TILE][LINE_TILES];
    const Vector bias = Vector{} + (how_.bias ? how_.bias[output] : 0.f);
    for (int t = 0; t < voxels; t += LANES) {
      Vector points[POINTS], across[EDGE * TILE], both[TILE * TILE];
      for (int point = 0; point < POINTS; point++)
        points[point] = load(sums + static_cast<long>(point) * pitch + t);
      for (int i = 0; i < EDGE; i++) from_points(points + EDGE * i, 1, across + TILE * i, 1);
      for (int k = 0; k < TILE; k++) from_points(across + k, TILE, both + k, TILE);
      for (int i = 0; i < TILE; i++)
        for (int k = 0; k < TILE; k++) store(&made[i][k][t], both[TILE * i + k] + bias);
    }
    const int height = how_.out_size[1], width = how_.out_size[2];
    float* image = how_.out + (static_cast<long>(output) * how_.out_size[0] + plane) * height * width;
    const int first = strip * rows * TILE, past = std::min(height, first + TILE * rows);
    for (int row = first; row < past; row++)
      put_row(made[(row - first) % TILE], (row - first) / TILE * tiles, image + static_cast<long>(row) * width);
    const float* wrote = image + static_cast<long>(first) * width;
    gathered.look(strip * how_.out_size[0] + plane, output, wrote, (past - first) * width);
  }

 private:
  static constexpr int LINE = MOST * TILE + 8 * LANES, LINE_TILES = MOST + 3 * LANES;

  // seen[k][t] = row[4 t + k - 1], zero beyond the border, for the tiles of a row from `at` on.
  void take_row(int channel, int plane, int row, float (*seen)[LINE_TILES], int at) const {
    const int width = how_.size[2];
    if (row < 0 || row >= how_.size[1]) {
      for (int k = 0; k < EDGE; k++) std::fill_n(seen[k] + at, whole_vectors(tiles), 0.f);
      return;
    }
    float line[LINE];
    line[0] = 0;
    if (channel + 1 < how_.inputs) ask_for(how_.row(channel + 1, plane, row), width);
    read(how_.row(channel, plane, row), width, how_.reading(channel), line + 1);
    std::fill(line + 1 + width, line + TILE * (whole_vectors(tiles) + 1), 0.f);
    for (int t = 0; t < tiles; t += LANES) {
      const float* from = line + TILE * t;
      const Vector a = load(from), b = load(from + LANES), c = load(from + 2 * LANES), d = load(from + 3 * LANES);
      const Vector even_ab = even(a, b), even_cd = even(c, d), odd_ab = odd(a, b), odd_cd = odd(c, d);
      store(seen[0] + at + t, even(even_ab, even_cd));
      store(seen[1] + at + t, even(odd_ab, odd_cd));
      store(seen[2] + at + t, odd(even_ab, even_cd));
      store(seen[3] + at + t, odd(odd_ab, odd_cd));
    }
    for (int k = 0; k < 2; k++) {
      copy(seen[k] + at + 1, tiles - 1, seen[TILE + k] + at);
      seen[TILE + k][at + tiles - 1] = line[TILE * tiles + k];
    }
  }

  void put_row(const float (*made)[LINE_TILES], int at, float* row) const {
    const int width = how_.out_size[2];
    float line[LINE];
    for (int t = 0; t < tiles; t += LANES) {
      const Vector a = load(made[0] + at + t), b = load(made[1] + at + t);
      const Vector c = load(made[2] + at + t), d = load(made[3] + at + t);
      const Vector ac_low = zip_low(a, c), ac_high = zip_high(a, c), bd_low = zip_low(b, d), bd_high = zip_high(b, d);
      float* to = TILE * (t + LANES) <= width ? row + TILE * t : line + TILE * t;
      store(to, zip_low(ac_low, bd_low));
      store(to + LANES, zip_high(ac_low, bd_low));
      store(to + 2 * LANES, zip_low(ac_high, bd_high));
      store(to + 3 * LANES, zip_high(ac_high, bd_high));
    }
    const int whole = width / (TILE * LANES) * TILE * LANES;
    copy(line + whole, width - whole, row + whole);
  }

  const Convolution& how_;
};

}  // namespace segcube
