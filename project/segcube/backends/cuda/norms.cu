// Norms of either layout, whose sums fill the device, and a bias with GELU.

constexpr int WARP = 32, WARPS = 8;  // of a block

struct Moments { float count, mean, squares; };  // squares: the sum of squared distances from the mean

// Chan, Golub, LeVeque (1979): moments of two sets together
__device__ Moments merged(Moments one, Moments other) {
  float count = one.count + other.count;
  if (count == 0) return one;
  float away = other.mean - one.mean, share = other.count / count;
  return {count, one.mean + away * share, one.squares + other.squares + away * away * one.count * share};
}

__device__ Moments below(Moments mine, int lanes) {
  return {__shfl_down_sync(~0u, mine.count, lanes), __shfl_down_sync(~0u, mine.mean, lanes),
          __shfl_down_sync(~0u, mine.squares, lanes)};
}

// Sums of the distances from one of the values: no digits are lost where the mean is far from zero
struct Sums {
  float pivot, sum, squares;
  __device__ void add(float value, bool first) {
    if (first) { pivot = value; sum = squares = 0; }
    float away = value - pivot;
    sum += away;
    squares += away * away;
  }
  __device__ Moments moments(int count) const {
    if (count == 0) return {0, 0, 0};
    return {(float)count, pivot + sum / count, fmaxf(squares - sum * sum / count, 0.f)};
  }
};

// Mean and squares of every channel in a chunk of voxels. x (N, voxels, channels); parts (N, chunks, channels).
// A row of threads takes a voxel; grid (chunks, N).
extern "C" __global__ void moments_last(const T* x, float2* parts, int voxels, int channels, int chunk) {
  extern __shared__ float shared[];
  int lanes = channels / VEC, rows = blockDim.x / lanes;
  int lane = threadIdx.x % lanes, row = threadIdx.x / lanes;
  int first = blockIdx.x * chunk, last = min(first + chunk, voxels);
  const Vec* from = (const Vec*)(x + (size_t)blockIdx.y * voxels * channels) + lane;
  Sums sums[VEC];
  int count = 0;
  if (row < rows)
#pragma unroll 4
    for (int voxel = first + row; voxel < last; voxel += rows, ++count) {
      Vec read = from[(size_t)voxel * lanes];
#pragma unroll
      for (int k = 0; k < VEC; ++k) sums[k].add(up(read.values[k]), count == 0);
    }
  Moments mine[VEC];
  for (int k = 0; k < VEC; ++k) mine[k] = sums[k].moments(count);
  float *means = shared, *squares = means + rows * channels, *counts = squares + rows * channels;
  for (int left = rows;;) {
    if (row < left) {
      counts[row] = mine[0].count;
      for (int k = 0; k < VEC; ++k) {
        means[row * channels + lane * VEC + k] = mine[k].mean;
        squares[row * channels + lane * VEC + k] = mine[k].squares;
      }
    }
    if (left == 1) break;
    __syncthreads();
    int half = (left + 1) / 2, other = row + half;
    if (other < left)
      for (int k = 0; k < VEC; ++k) {
        int at = other * channels + lane * VEC + k;
        mine[k] = merged(mine[k], {counts[other], means[at], squares[at]});
      }
    left = half;
    __syncthreads();
  }
  if (row > 0) return;
  float2* to = parts + ((size_t)blockIdx.y * gridDim.x + blockIdx.x) * channels + lane * VEC;
  for (int k = 0; k < VEC; ++k) to[k] = {mine[k].mean, mine[k].squares};
}

// The same for rows of voxels that lie together: x (rows, voxels), parts (rows, chunks); grid (chunks, rows).
// chunk: a multiple of VEC. whole: voxels is one, too.
extern "C" __global__ void moments_first(const T* x, float2* parts, int voxels, int chunk, int whole) {
  __shared__ Moments shared[WARPS];
  int first = blockIdx.x * chunk, last = min(first + chunk, voxels);
  const T* from = x + (size_t)blockIdx.y * voxels;
  Sums sums;
  int count = 0;
  if (whole) {
#pragma unroll 4
    for (int voxel = first + threadIdx.x * VEC; voxel < last; voxel += blockDim.x * VEC) {
      Vec read = *(const Vec*)(from + voxel);
#pragma unroll
      for (int k = 0; k < VEC; ++k) sums.add(up(read.values[k]), count++ == 0);
    }
  } else
    for (int voxel = first + threadIdx.x; voxel < last; voxel += blockDim.x)
      sums.add(up(from[voxel]), count++ == 0);
  Moments mine = sums.moments(count);
  for (int lanes = WARP / 2; lanes; lanes /= 2) mine = merged(mine, below(mine, lanes));
  if (threadIdx.x % WARP == 0) shared[threadIdx.x / WARP] = mine;
  __syncthreads();
  if (threadIdx.x > 0) return;
  for (int warp = 1; warp < blockDim.x / WARP; ++warp) mine = merged(mine, shared[warp]);
  parts[(size_t)blockIdx.y * gridDim.x + blockIdx.x] = {mine.mean, mine.squares};
}

struct alignas(16) Factors {
  float mean, scale, shift;
  __device__ float normed(float value) const { return (value - mean) * scale + shift; }
};

// What norms a channel: (N, channels). A warp takes a channel; grid (., N). weight, bias: of a channel; null for 1
// and 0.
extern "C" __global__ void finish(const float2* parts, const float* weight, const float* bias, Factors* factors,
                                  int voxels, int channels, int chunk, int chunks, float eps) {
  int channel = blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP, lane = threadIdx.x % WARP;
  if (channel >= channels) return;
  Moments mine = {0, 0, 0};
  for (int part = lane; part < chunks; part += WARP) {
    float2 read = parts[((size_t)blockIdx.y * chunks + part) * channels + channel];
    mine = merged(mine, {(float)(min((part + 1) * chunk, voxels) - part * chunk), read.x, read.y});
  }
  for (int lanes = WARP / 2; lanes; lanes /= 2) mine = merged(mine, below(mine, lanes));
  if (lane > 0) return;
  float scale = rsqrtf(mine.squares / mine.count + eps);
  if (weight) scale *= weight[channel];
  factors[blockIdx.y * channels + channel] = {mine.mean, scale, bias ? bias[channel] : 0.f};
}

// out = leaky(normed x + added), in the layout of moments_last; added: null for nothing. slope: 1 for none.
extern "C" __global__ void apply_last(const T* x, const Factors* factors, const T* added, T* out, int voxels,
                                      int channels, int chunk, float slope) {
  int lanes = channels / VEC, rows = blockDim.x / lanes;
  int lane = threadIdx.x % lanes, row = threadIdx.x / lanes;
  if (row >= rows) return;
  int first = blockIdx.x * chunk, last = min(first + chunk, voxels);
  Factors mine[VEC];
  for (int k = 0; k < VEC; ++k) mine[k] = factors[blockIdx.y * channels + lane * VEC + k];
  size_t window = (size_t)blockIdx.y * voxels;
#pragma unroll 4
  for (int voxel = first + row; voxel < last; voxel += rows) {
    size_t at = (window + voxel) * lanes + lane;
    Vec read = ((const Vec*)x)[at], more, made;
    if (added) more = ((const Vec*)added)[at];
#pragma unroll
    for (int k = 0; k < VEC; ++k) {
      float value = mine[k].normed(up(read.values[k]));
      if (added) value += up(more.values[k]);
      made.values[k] = down(value >= 0 ? value : value * slope);
    }
    ((Vec*)out)[at] = made;
  }
}

__device__ float gelu(float value) { return 0.5f * value * (1 + erff(value * 0.70710678118654752f)); }

// In place: rows of voxels normed, or plus a bias and through GELU.
// x (rows, voxels); grid (chunks, rows).
template <typename Change>
__device__ void change_rows(T* x, int voxels, int chunk, int whole, Change change) {
  int first = blockIdx.x * chunk, last = min(first + chunk, voxels);
  T* at = x + (size_t)blockIdx.y * voxels;
  if (whole) {
#pragma unroll 2
    for (int voxel = first + threadIdx.x * VEC; voxel < last; voxel += blockDim.x * VEC) {
      Vec read = *(Vec*)(at + voxel);
#pragma unroll
      for (int k = 0; k < VEC; ++k) read.values[k] = down(change(up(read.values[k])));
      *(Vec*)(at + voxel) = read;
    }
  } else
    for (int voxel = first + threadIdx.x; voxel < last; voxel += blockDim.x)
      at[voxel] = down(change(up(at[voxel])));
}

extern "C" __global__ void apply_first(T* x, const Factors* factors, int voxels, int chunk, int whole) {
  Factors mine = factors[blockIdx.y];
  change_rows(x, voxels, chunk, whole, [=](float value) { return mine.normed(value); });
}

extern "C" __global__ void bias_gelu(T* x, const T* bias, int channels, int voxels, int chunk, int whole) {
  float shift = up(bias[blockIdx.y % channels]);
  change_rows(x, voxels, chunk, whole, [=](float value) { return gelu(value + shift); });
}
