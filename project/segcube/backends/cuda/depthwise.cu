// A depthwise convolution of stride 1 among zeros, as large as its input. KX, KY, KZ: an odd kernel up to 7.

constexpr int PX = KX / 2, PY = KY / 2, PZ = KZ / 2, WEIGHTS = KX * KY * KZ;
constexpr bool HOLD = WEIGHTS <= 27;  // in registers
constexpr int MARGIN = 4;  // of a row in shared memory, on either side: a vector, and no less than PZ

__device__ void load_plane(const T* x, float* tile, bool inside, int Y, int Z, int first_y, int first_z, int rows,
                           int lanes) {
  int quads = lanes + 2 * MARGIN / 4;
  for (int index = threadIdx.x; index < rows * quads; index += blockDim.x) {
    int y = first_y - PY + index / quads, z = first_z - MARGIN + index % quads * 4;
    float4 read = {0, 0, 0, 0};
    if (inside && y >= 0 && y < Y && z >= 0 && z < Z) {
      const T* from = x + (size_t)y * Z + z;
      if (Z % 4 == 0) {
        Quad quad = *(const Quad*)from;
        read = {up(quad.values[0]), up(quad.values[1]), up(quad.values[2]), up(quad.values[3])};
      } else
        read = {up(from[0]), z + 1 < Z ? up(from[1]) : 0, z + 2 < Z ? up(from[2]) : 0,
                z + 3 < Z ? up(from[3]) : 0};
    }
    ((float4*)tile)[index] = read;
  }
}

// x, out (N * channels, X, Y, Z); weight (channels, KX, KY, KZ). A thread makes four voxels along z and goes along
// x; a block has `lanes` threads along z and the others along y; grid (tiles of y and z, chunks of x, N * channels).
extern "C" __global__ void depthwise(const T* x, const T* weight, T* out, int channels, int X, int Y, int Z,
                                     int deep, int lanes) {
  extern __shared__ float4 tiles[];
  __shared__ float weights[WEIGHTS];
  int high = blockDim.x / lanes, rows = high + KY - 1, pitch = lanes * 4 + 2 * MARGIN;
  int across = (Z + lanes * 4 - 1) / (lanes * 4);
  int first_y = blockIdx.x / across * high, first_z = blockIdx.x % across * lanes * 4;
  int lane = threadIdx.x % lanes, row = threadIdx.x / lanes, y = first_y + row, z = first_z + lane * 4;
  int first_x = blockIdx.y * deep, last_x = min(first_x + deep, X);
  size_t plane = (size_t)Y * Z;
  const T* from = x + blockIdx.z * X * plane;
  T* to = out + blockIdx.z * X * plane;
  float* tile = (float*)tiles;
  for (int i = threadIdx.x; i < WEIGHTS; i += blockDim.x)
    weights[i] = up(weight[blockIdx.z % channels * WEIGHTS + i]);
  __syncthreads();
  float held[HOLD ? WEIGHTS : 1];
  for (int i = 0; HOLD && i < WEIGHTS; ++i) held[i] = weights[i];
  float sums[KX][4] = {};
  int begin = first_x - PX, end = last_x + PX;
  load_plane(from + begin * (long long)plane, tile, begin >= 0, Y, Z, first_y, first_z, rows, lanes);
  for (int at = begin; at < end; ++at) {
    __syncthreads();
    if (at + 1 < end)
      load_plane(from + (at + 1) * (long long)plane, tile + (at + 1 - begin) % 2 * rows * pitch,
                 at + 1 >= 0 && at + 1 < X, Y, Z, first_y, first_z, rows, lanes);
    const float* mine = tile + ((at - begin) % 2 * rows + row) * pitch + lane * 4;
#pragma unroll
    for (int ky = 0; ky < KY; ++ky) {
      float values[4 + 2 * MARGIN];
#pragma unroll
      for (int part = 0; part < 3; ++part) *(float4*)(values + part * 4) = ((const float4*)(mine + ky * pitch))[part];
#pragma unroll
      for (int kx = 0; kx < KX; ++kx)
#pragma unroll
        for (int kz = 0; kz < KZ; ++kz) {
          int index = (kx * KY + ky) * KZ + kz;
          float w = HOLD ? held[index] : weights[index];
#pragma unroll
          for (int k = 0; k < 4; ++k) sums[KX - 1 - kx][k] += values[MARGIN + k + kz - PZ] * w;
        }
    }
    // The plane PX before this one is complete
    int done = at - PX;
    if (done >= first_x && y < Y && z < Z) {
      T* there = to + done * plane + (size_t)y * Z + z;
      if (Z % 4 == 0)
        *(Quad*)there = {down(sums[0][0]), down(sums[0][1]), down(sums[0][2]), down(sums[0][3])};
      else
        for (int k = 0; k < 4 && z + k < Z; ++k) there[k] = down(sums[0][k]);
    }
#pragma unroll
    for (int kx = 0; kx < KX; ++kx)
#pragma unroll
      for (int k = 0; k < 4; ++k) sums[kx][k] = kx + 1 < KX ? sums[kx + 1][k] : 0;
  }
}
