// Launches kernels by their names, with pointers to their arguments, as CUDA's driver does.
#include <cstring>
#include <utility>

template <typename... Arguments, std::size_t... Places>
void call(void (*kernel)(Arguments...), Three grid, int threads, void** at, std::index_sequence<Places...>) {
  launch([=] { kernel(*(Arguments*)at[Places]...); }, grid, threads);
}

template <typename... Arguments>
void call(void (*kernel)(Arguments...), const int* grid, int threads, void** at) {
  call(kernel, {grid[0], grid[1], grid[2]}, threads, at, std::index_sequence_for<Arguments...>{});
}

#define KERNEL(kernel) \
  if (!strcmp(name, #kernel)) return call(kernel, grid, threads, at), 0;

extern "C" int run(const char* name, const int* grid, int threads, void** at) {
#ifdef KX
  KERNEL(depthwise)
#else
  KERNEL(moments_last) KERNEL(moments_first) KERNEL(finish) KERNEL(apply_last) KERNEL(apply_first)
  KERNEL(bias_gelu)
#endif
  return 1;
}
