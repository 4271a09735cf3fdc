// What Python calls; each gives 0, or 1 where there was no memory.
#include <new>

#include "cpu/adding.h"
#include "cpu/depthwise.h"
#include "cpu/direct.h"
#include "cpu/lift.h"
#include "cpu/norm.h"
#include "cpu/pool.h"
#include "cpu/widening.h"
#include "cpu/winograd.h"

#ifndef SEGCUBE_SOURCES
#define SEGCUBE_SOURCES "unknown"
#endif

namespace {

template <class Work>
int without_throwing(const Work& work) {
  try {
    work();
  } catch (const std::bad_alloc&) {
    return 1;
  }
  return 0;
}

}  // namespace

// The digest of the sources that this was built from; kernels/digest.py computes it.
extern "C" const char* segcube_sources() { return SEGCUBE_SOURCES; }

extern "C" int segcube_convolve(const segcube::Convolution* how) {
  return without_throwing([&] {
    if (segcube::Winograd::fits(*how))
      segcube::Winograd(*how).run();
    else
      segcube::Direct(*how).run();
  });
}

extern "C" int segcube_convolve_transposed(const segcube::Convolution* how) {
  return without_throwing([&] { segcube::Blocks(*how).run(); });
}

extern "C" int segcube_depthwise(const segcube::Convolution* how) {
  return without_throwing([&] { segcube::Tiled<segcube::Depthwise>(*how).run(); });
}

extern "C" int segcube_depthwise_transposed(const segcube::Convolution* how) {
  return without_throwing([&] { segcube::Tiled<segcube::DepthwiseTransposed>(*how).run(); });
}

extern "C" int segcube_widen(const segcube::Widening* how) {
  return without_throwing([&] { segcube::Widened(*how).run(); });
}

extern "C" int segcube_lift(const segcube::Lift* how) {
  return without_throwing([&] { segcube::Lifted(*how).run(); });
}

extern "C" int segcube_norm(const segcube::Norm* how) {
  return without_throwing([&] { segcube::norm(*how); });
}

extern "C" int segcube_pool(const segcube::Pool* how) {
  return without_throwing([&] { segcube::pool(*how); });
}

extern "C" int segcube_add(const segcube::Adding* how) {
  return without_throwing([&] { segcube::add(*how); });
}
