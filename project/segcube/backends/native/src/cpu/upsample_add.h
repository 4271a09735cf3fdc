// The end of an upsampling MedNeXt block: its padded image and its strided residual added to the skip connection.
#pragma once
#include <algorithm>
#include <cstdint>

#include "threads.h"
#include "vectors.h"

namespace segcube {

// out = skip + (image + bias + sparse), the latter `padding` voxels away from the border. Python fills it in;
// structs.py has the same fields.
struct UpsampleAddArgs {
  const float* skip;    // (channels, D, H, W), or null for zeros
  const float* image;   // (channels, *inner)
  const float* sparse;  // (channels, *ceil(inner / stride)): voxels that are `stride` apart in the image; or null
  const float* bias;    // (channels), or null
  float* out;           // (channels, D, H, W)
  int32_t size[3], inner[3], padding[3], stride[3];
  int32_t channels, threads;
};

class UpsampleAdd {
 public:
  explicit UpsampleAdd(const UpsampleAddArgs& args) : args_(args) {
    for (int axis = 0; axis < 3; axis++)
      sparse_size_[axis] = (args.inner[axis] + args.stride[axis] - 1) / args.stride[axis];
  }

  void run() const {
    const int planes = args_.size[0];
    on_threads(args_.channels * planes, args_.threads, [&] {
      return [&](int piece) {
        for (int y = 0; y < args_.size[1]; y++) add_row(piece / planes, piece % planes, y);
      };
    });
  }

 private:
  void add_row(int channel, int plane, int y) const {
    const long offset = ((static_cast<long>(channel) * args_.size[0] + plane) * args_.size[1] + y) * args_.size[2];
    float* to = args_.out + offset;
    if (args_.skip)
      copy(args_.skip + offset, args_.size[2], to);
    else
      std::fill_n(to, args_.size[2], 0.f);
    const int z = plane - args_.padding[0], row = y - args_.padding[1];
    const int32_t* inner = args_.inner;
    if (z < 0 || row < 0 || z >= inner[0] || row >= inner[1]) return;
    to += args_.padding[2];
    const float* image = args_.image + ((static_cast<long>(channel) * inner[0] + z) * inner[1] + row) * inner[2];
    const float bias = args_.bias ? args_.bias[channel] : 0.f;
    for (int x = 0; x < inner[2]; x++) to[x] += image[x] + bias;
    if (!args_.sparse || z % args_.stride[0] || row % args_.stride[1]) return;
    const long sparse_plane = static_cast<long>(channel) * sparse_size_[0] + z / args_.stride[0];
    const long line = sparse_plane * sparse_size_[1] + row / args_.stride[1];
    const float* sparse = args_.sparse + line * sparse_size_[2];
    for (int x = 0; x < sparse_size_[2]; x++) to[x * args_.stride[2]] += sparse[x];
  }

  const UpsampleAddArgs& args_;
  int sparse_size_[3];
};

}  // namespace segcube
