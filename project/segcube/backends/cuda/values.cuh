// Values are T in memory and float in arithmetic. TYPE: 16 (half), 8 (bfloat16: eight bits of precision) or 32 (float).
// The order of every sum is fixed, so that the same input gives the same bytes.

#if TYPE == 32
typedef float T;
__device__ float up(T value) { return value; }
__device__ T down(float value) { return value; }
#else
typedef unsigned short T;
#if TYPE == 16
__device__ float up(T value) { float found; asm("cvt.f32.f16 %0, %1;" : "=f"(found) : "h"(value)); return found; }
__device__ T down(float value) { T found; asm("cvt.rn.f16.f32 %0, %1;" : "=h"(found) : "f"(value)); return found; }
#else
__device__ float up(T value) { return __uint_as_float((unsigned)value << 16); }
__device__ T down(float value) { T found; asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(found) : "f"(value)); return found; }
#endif
#endif

constexpr int VEC = 16 / sizeof(T);  // what a thread reads at once

struct alignas(16) Vec { T values[VEC]; };
struct alignas(4 * sizeof(T)) Quad { T values[4]; };
