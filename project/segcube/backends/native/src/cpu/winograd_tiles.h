// A plane cut into strips, which are rows of tiles of 4x4 voxels: inputs to Winograd's points, and sums back to voxels.
#pragma once
#include <algorithm>

#include "convolution.h"
#include "winograd_transforms.h"

namespace segcube {

class Tiles {
 public:
  static constexpr int MAX_TILES = 64;

  // max_tiles: of a strip, which has at least one row of tiles.
  Tiles(const ConvolutionArgs& args, int max_tiles)
      : tiles((args.out_size[2] + TILE - 1) / TILE),
        tile_rows((args.out_size[1] + TILE - 1) / TILE),
        rows(std::min(tile_rows, std::max(1, std::min(max_tiles, MAX_TILES) / tiles))),
        strips((tile_rows + rows - 1) / rows),
        voxels(whole_vectors(rows * tiles)),
        args_(args) {}

  const int tiles, tile_rows;  // tiles per row, and rows of tiles per plane
  const int rows, strips;      // rows of tiles per strip, and strips per plane
  const int voxels;            // tiles of a strip, rounded up to whole vectors

  // Write the points of a strip as [point][channel][tile]; points are `pitch` floats apart.
  void inputs_to_points(int plane, int strip, float* points, int pitch) const {
    float inputs[EDGE][EDGE][LINE_TILES];
    // Lanes beyond the last tile must hold ordinary numbers: denormal ones are slow
    for (auto& row : inputs)
      for (auto& values : row) std::fill(values + rows * tiles, values + voxels, 0.f);
    for (int channel = 0; channel < args_.inputs; channel++) {
      for (int tile_row = 0; tile_row < rows; tile_row++) {
        const int at = tile_row * tiles, row = (strip * rows + tile_row) * TILE - 1;
        for (int i = 0; i < EDGE; i++)
          if (tile_row > 0 && i < EDGE - TILE)
            for (int k = 0; k < EDGE; k++) copy(inputs[TILE + i][k] + at - tiles, tiles, inputs[i][k] + at);
          else
            load_row(channel, plane, row + i, inputs[i], at);
      }
      for (int t = 0; t < voxels; t += LANES) {
        Vector across[POINTS], transformed[POINTS];
        for (int i = 0; i < EDGE; i++) {
          Vector values[EDGE];
          for (int k = 0; k < EDGE; k++) values[k] = load(&inputs[i][k][t]);
          to_points(values, 1, across + EDGE * i, 1);
        }
        for (int k = 0; k < EDGE; k++) to_points(across + k, EDGE, transformed + k, EDGE);
        float* to = points + channel * voxels + t;
        for (int point = 0; point < POINTS; point++) store(to + static_cast<long>(point) * pitch, transformed[point]);
      }
    }
  }

  // Write a strip of an output plane from its sums [point][tile], with the bias; record its moments.
  void write_output(int output, int plane, int strip, const float* sums, int pitch, OutputMoments& moments) const {
    float outputs[TILE][TILE][LINE_TILES];
    const Vector bias = Vector{} + (args_.bias ? args_.bias[output] : 0.f);
    for (int t = 0; t < voxels; t += LANES) {
      Vector points[POINTS], across[EDGE * TILE], transformed[TILE * TILE];
      for (int point = 0; point < POINTS; point++)
        points[point] = load(sums + static_cast<long>(point) * pitch + t);
      for (int i = 0; i < EDGE; i++) from_points(points + EDGE * i, 1, across + TILE * i, 1);
      for (int k = 0; k < TILE; k++) from_points(across + k, TILE, transformed + k, TILE);
      for (int i = 0; i < TILE; i++)
        for (int k = 0; k < TILE; k++) store(&outputs[i][k][t], transformed[TILE * i + k] + bias);
    }
    const int height = args_.out_size[1], width = args_.out_size[2];
    float* image = args_.out + (static_cast<long>(output) * args_.out_size[0] + plane) * height * width;
    const int first = strip * rows * TILE, end = std::min(height, first + TILE * rows);
    for (int row = first; row < end; row++)
      store_row(outputs[(row - first) % TILE], (row - first) / TILE * tiles, image + static_cast<long>(row) * width);
    const float* written = image + static_cast<long>(first) * width;
    moments.add(strip * args_.out_size[0] + plane, output, written, (end - first) * width);
  }

 private:
  static constexpr int LINE = MAX_TILES * TILE + 8 * LANES, LINE_TILES = MAX_TILES + 3 * LANES;

  // inputs[k][at + t] = row[4 t + k - 1] for the tiles t of a row, zero beyond the border.
  void load_row(int channel, int plane, int row, float (*inputs)[LINE_TILES], int at) const {
    const int width = args_.size[2];
    if (row < 0 || row >= args_.size[1]) {
      for (int k = 0; k < EDGE; k++) std::fill_n(inputs[k] + at, whole_vectors(tiles), 0.f);
      return;
    }
    float line[LINE];
    line[0] = 0;
    if (channel + 1 < args_.inputs) prefetch_row(args_.row(channel + 1, plane, row), width);
    copy_normed(args_.row(channel, plane, row), width, args_.input_norm(channel), line + 1);
    std::fill(line + 1 + width, line + TILE * (whole_vectors(tiles) + 1), 0.f);
    for (int t = 0; t < tiles; t += LANES) {
      const float* from = line + TILE * t;
      const Vector a = load(from), b = load(from + LANES), c = load(from + 2 * LANES), d = load(from + 3 * LANES);
      const Vector even_ab = even(a, b), even_cd = even(c, d), odd_ab = odd(a, b), odd_cd = odd(c, d);
      store(inputs[0] + at + t, even(even_ab, even_cd));
      store(inputs[1] + at + t, even(odd_ab, odd_cd));
      store(inputs[2] + at + t, odd(even_ab, even_cd));
      store(inputs[3] + at + t, odd(odd_ab, odd_cd));
    }
    for (int k = 0; k < 2; k++) {
      copy(inputs[k] + at + 1, tiles - 1, inputs[TILE + k] + at);
      inputs[TILE + k][at + tiles - 1] = line[TILE * tiles + k];
    }
  }

  void store_row(const float (*outputs)[LINE_TILES], int at, float* row) const {
    const int width = args_.out_size[2];
    float line[LINE];
    for (int t = 0; t < tiles; t += LANES) {
      const Vector a = load(outputs[0] + at + t), b = load(outputs[1] + at + t);
      const Vector c = load(outputs[2] + at + t), d = load(outputs[3] + at + t);
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

  const ConvolutionArgs& args_;
};

}  // namespace segcube
