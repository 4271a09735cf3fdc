// What the way up adds to a skip: an image that lies inside it, and one of fewer voxels, spread out.
#pragma once
#include <algorithm>
#include <cstdint>

#include "lanes.h"
#include "threads.h"

namespace segcube {

// out = skip + image + bias + sparse, all but the skip from `before` on as far as the image goes; Python fills it in.
struct Lift {
  const float* skip;    // (channels, D, H, W), or null for zeros
  const float* image;   // (channels, inner)
  const float* sparse;  // (channels, ceil(inner / stride)): its voxels lie `stride` apart; or null
  const float* bias;    // (channels), or null
  float* out;           // (channels, D, H, W)
  int32_t size[3], inner[3], before[3], stride[3];
  int32_t channels, threads;
};

class Lifted {
 public:
  explicit Lifted(const Lift& how) : how_(how) {
    for (int axis = 0; axis < 3; axis++) few_[axis] = (how.inner[axis] + how.stride[axis] - 1) / how.stride[axis];
  }

  void run() const {
    const int planes = how_.size[0];
    on_threads(how_.channels * planes, how_.threads, [&] {
      return [&](int piece) {
        for (int y = 0; y < how_.size[1]; y++) row(piece / planes, piece % planes, y);
      };
    });
  }

 private:
  void row(int channel, int plane, int y) const {
    const long at = ((static_cast<long>(channel) * how_.size[0] + plane) * how_.size[1] + y) * how_.size[2];
    float* to = how_.out + at;
    if (how_.skip)
      copy(how_.skip + at, how_.size[2], to);
    else
      std::fill_n(to, how_.size[2], 0.f);
    const int z = plane - how_.before[0], row = y - how_.before[1];
    const int32_t* inner = how_.inner;
    if (z < 0 || row < 0 || z >= inner[0] || row >= inner[1]) return;
    to += how_.before[2];
    const float* image = how_.image + ((static_cast<long>(channel) * inner[0] + z) * inner[1] + row) * inner[2];
    const float bias = how_.bias ? how_.bias[channel] : 0.f;
    for (int x = 0; x < inner[2]; x++) to[x] += image[x] + bias;
    if (!how_.sparse || z % how_.stride[0] || row % how_.stride[1]) return;
    const long few = (static_cast<long>(channel) * few_[0] + z / how_.stride[0]) * few_[1] + row / how_.stride[1];
    const float* sparse = how_.sparse + few * few_[2];
    for (int x = 0; x < few_[2]; x++) to[x * how_.stride[2]] += sparse[x];
  }

  const Lift& how_;
  int few_[3];
};

}  // namespace segcube
