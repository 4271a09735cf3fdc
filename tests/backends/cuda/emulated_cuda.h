// Enough of CUDA for a kernel to run on a CPU: a thread is a thread, blocks run one after the other.
#include <algorithm>
#include <barrier>
#include <cmath>
#include <cstddef>
#include <memory>
#include <thread>
#include <vector>
#define __device__
#define __global__
#define __shared__ static
using std::min;
struct float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct Three { int x, y, z; };
thread_local Three threadIdx, blockIdx;
Three blockDim, gridDim;
alignas(16) char dynamic_shared[1 << 16];
constexpr int LANES = 32;
std::unique_ptr<std::barrier<>> block_barrier;
std::vector<std::unique_ptr<std::barrier<>>> warp_barriers;
std::vector<float> warp_values;
inline void __syncthreads() { block_barrier->arrive_and_wait(); }
inline float rsqrtf(float value) { return 1 / sqrtf(value); }
inline float __shfl_down_sync(unsigned, float value, int lanes) {
  int warp = threadIdx.x / LANES, lane = threadIdx.x % LANES;
  warp_values[threadIdx.x] = value;
  warp_barriers[warp]->arrive_and_wait();
  float found = lane + lanes < LANES ? warp_values[threadIdx.x + lanes] : value;
  warp_barriers[warp]->arrive_and_wait();
  return found;
}
template <typename Kernel>
void launch(Kernel kernel, Three grid, int threads) {
  gridDim = grid;
  blockDim = {threads, 1, 1};
  for (int z = 0; z < grid.z; ++z)
    for (int y = 0; y < grid.y; ++y)
      for (int x = 0; x < grid.x; ++x) {
        block_barrier = std::make_unique<std::barrier<>>(threads);
        warp_barriers.clear();
        for (int first = 0; first < threads; first += LANES)
          warp_barriers.push_back(std::make_unique<std::barrier<>>(min(LANES, threads - first)));
        warp_values.assign(threads + LANES, 0);
        std::vector<std::thread> all;
        for (int thread = 0; thread < threads; ++thread)
          all.emplace_back([=] {
            threadIdx = {thread, 0, 0};
            blockIdx = {x, y, z};
            kernel();
            warp_barriers[thread / LANES]->arrive_and_drop();
            block_barrier->arrive_and_drop();
          });
        for (auto& one : all) one.join();
      }
}
