// The C functions that Python calls; each returns 0, or 1 if memory was exhausted.
#include <new>

#include "cpu/accumulator.h"
#include "cpu/depthwise.h"
#include "cpu/direct.h"
#include "cpu/norm.h"
#include "cpu/pointwise_mlp.h"
#include "cpu/pool.h"
#include "cpu/upsample_add.h"
#include "cpu/winograd.h"

#ifndef SEGCUBE_SOURCES
#define SEGCUBE_SOURCES "unknown"
#endif

namespace {

template <class Work>
int run_catching_bad_alloc(const Work& work) {
  try {
    work();
  } catch (const std::bad_alloc&) {
    return 1;
  }
  return 0;
}

}  // namespace

// The digest of the sources that this library was built from; library.py computes it and compares.
extern "C" const char* segcube_sources() { return SEGCUBE_SOURCES; }

extern "C" int segcube_convolve(const segcube::ConvolutionArgs* args) {
  return run_catching_bad_alloc([&] {
    if (segcube::Winograd::fits(*args))
      segcube::Winograd(*args).run();
    else
      segcube::Direct(*args).run();
  });
}

extern "C" int segcube_convolve_transposed(const segcube::ConvolutionArgs* args) {
  return run_catching_bad_alloc([&] { segcube::BlockTransposed(*args).run(); });
}

extern "C" int segcube_depthwise(const segcube::ConvolutionArgs* args) {
  return run_catching_bad_alloc([&] { segcube::Tiled<segcube::Depthwise>(*args).run(); });
}

extern "C" int segcube_depthwise_transposed(const segcube::ConvolutionArgs* args) {
  return run_catching_bad_alloc([&] { segcube::Tiled<segcube::DepthwiseTransposed>(*args).run(); });
}

extern "C" int segcube_pointwise_mlp(const segcube::PointwiseMlpArgs* args) {
  return run_catching_bad_alloc([&] { segcube::PointwiseMlp(*args).run(); });
}

extern "C" int segcube_upsample_add(const segcube::UpsampleAddArgs* args) {
  return run_catching_bad_alloc([&] { segcube::UpsampleAdd(*args).run(); });
}

extern "C" int segcube_norm(const segcube::NormArgs* args) {
  return run_catching_bad_alloc([&] { segcube::norm(*args); });
}

extern "C" int segcube_pool(const segcube::PoolArgs* args) {
  return run_catching_bad_alloc([&] { segcube::pool(*args); });
}

extern "C" int segcube_accumulate(const segcube::AccumulateArgs* args) {
  return run_catching_bad_alloc([&] { segcube::accumulate(*args); });
}
