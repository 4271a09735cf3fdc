// Windows added to the sum of a grid.
#pragma once
#include "onto.h"
#include "threads.h"

namespace segcube {

// Python fills it in.
struct Adding {
  Onto onto;
  const float* window;  // its rows lie in one piece
  Place window_at;
  int32_t size[3];
  int32_t channels, threads;
};

inline void add(const Adding& how) {
  on_threads(how.size[0], how.threads, [&] {
    return [&](int plane) {
      for (int row = 0; row < how.size[1]; row++)
        for (int k = 0; k < how.channels; k++)
          how.onto.add(k, plane, row, how.window + how.window_at.of(k, plane, row), how.size[2], 0);
    };
  });
}

}  // namespace segcube
