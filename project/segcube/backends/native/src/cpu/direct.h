// All other convolutions, and transposed ones whose kernel is as large as its stride, as matrix products.
#pragma once
#include <algorithm>

#include "convolution.h"
#include "product.h"
#include "threads.h"

namespace segcube {

// Floats of a piece's input that fit into a core's own cache.
constexpr long CACHED_FLOATS = 1 << 16;
constexpr int MAX_VOXELS = 256;

// A convolution of any kernel and stride: the inputs of each output voxel become a column of a matrix (im2col).
class Direct {
 public:
  explicit Direct(const ConvolutionArgs& args)
      : args_(args),
        terms_(args.inputs * volume(args.kernel_size)),
        width_(whole_vectors(args.out_size[2])),
        rows_(std::max(1L, std::min<long>(args.out_size[1], max_voxels() / width_))),
        halves_(args.kernel_size[2] == 3 && args.stride[2] == 2 && args.padding[2] == 1 &&
                args.size[2] % (2 * LANES) == 0),
        weights_(static_cast<size_t>(terms_) * args.outputs) {}

  void run() {
    on_threads(args_.outputs, args_.threads, [&] {
      return [&](int n) {
        pack_weights(args_.kernel + static_cast<long>(n) * terms_, n, terms_, args_.outputs, weights_.data());
      };
    });
    const int strips = (args_.out_size[1] + rows_ - 1) / rows_, voxels = rows_ * width_;
    OutputMoments moments(args_, args_.out_size[0] * strips);
    on_threads(args_.out_size[0] * strips, args_.threads, [&] {
      return [&, line = Floats(args_.size[2]), columns = Floats(static_cast<size_t>(terms_) * voxels),
              sums = Floats(static_cast<size_t>(args_.outputs) * voxels)](int piece) {
        const int plane = piece / strips, first = piece % strips * rows_;
        const int rows = std::min(args_.out_size[1] - first, rows_);
        for (int row = 0; row < rows; row++)
          write_columns(plane, first + row, line.data(), columns.data() + row * width_);
        multiply(columns.data(), terms_, voxels, weights_.data(), args_.outputs, sums.data(), voxels, rows * width_);
        for (int n = 0; n < args_.outputs; n++) {
          const float* output_sums = sums.data() + static_cast<long>(n) * voxels;
          if (args_.accumulator)
            add_output(n, plane, first, rows, output_sums);
          else
            moments.add(piece, n, write_output(n, plane, first, rows, output_sums), rows * args_.out_size[2]);
        }
      };
    });
    moments.write();
  }

 private:
  // Output voxels of a piece, at least two vectors.
  int max_voxels() const { return std::min(MAX_VOXELS, std::max<int>(CACHED_FLOATS / terms_, 2 * LANES)); }

  // Write the inputs of a row of outputs, one line per term. line: scratch memory for a row of inputs.
  void write_columns(int plane, int row, float* line, float* column) const {
    const long pitch = static_cast<long>(rows_) * width_;
    const int32_t* kernel = args_.kernel_size;
    for (int channel = 0; channel < args_.inputs; channel++)
      for (int i = 0; i < kernel[0]; i++)
        for (int j = 0; j < kernel[1]; j++) {
          const int z = plane * args_.stride[0] + i - args_.padding[0];
          const int y = row * args_.stride[1] + j - args_.padding[1];
          const bool inside = z >= 0 && z < args_.size[0] && y >= 0 && y < args_.size[1];
          if (inside && channel + 1 < args_.inputs) prefetch_row(args_.row(channel + 1, z, y), args_.size[2]);
          const float* from = inside ? line_of(channel, z, y, line) : nullptr;
          if (from && halves_)
            copy_halves(from, column, pitch);
          else
            for (int k = 0; k < kernel[2]; k++) copy_line(from, k - args_.padding[2], column + k * pitch);
          column += kernel[2] * pitch;
        }
  }

  const float* line_of(int channel, int z, int y, float* line) const {
    const float* image = args_.row(channel, z, y);
    const InputNorm* input_norm = args_.input_norm(channel);
    if (!input_norm || !input_norm->is_active()) return image;
    copy_normed(image, args_.size[2], input_norm, line);
    return line;
  }

  // The three lines of a kernel row for a stride of 2: the first is the third shifted by a voxel.
  void copy_halves(const float* line, float* to, long pitch) const {
    for (int w = 0; w < width_; w += LANES) {
      const Vector a = load(line + 2 * w), b = load(line + 2 * w + LANES);
      store(to + pitch + w, even(a, b));
      store(to + 2 * pitch + w, odd(a, b));
    }
    to[0] = 0;
    copy(to + 2 * pitch, width_ - 1, to + 1);
  }

  // to[w] = line[w * stride + offset], zero beyond the border.
  void copy_line(const float* line, int offset, float* to) const {
    const int stride = args_.stride[2], size = args_.size[2], count = args_.out_size[2];
    if (!line) {
      std::fill_n(to, width_, 0.f);
      return;
    }
    const int first = std::min(count, offset < 0 ? (-offset + stride - 1) / stride : 0);
    const int end = std::max(first, std::min(count, size - offset > 0 ? (size - offset + stride - 1) / stride : 0));
    std::fill_n(to, first, 0.f);
    int w = first;
    if (stride == 1) {
      copy(line + first + offset, end - first, to + first);
      w = end;
    } else if (stride == 2) {
      for (; w + LANES <= end && 2 * (w + LANES) + offset <= size; w += LANES)
        store(to + w, even(load(line + 2 * w + offset), load(line + 2 * w + offset + LANES)));
    }
    for (; w < end; w++) to[w] = line[w * stride + offset];
    std::fill(to + end, to + width_, 0.f);
  }

  void add_output(int output, int plane, int first, int rows, const float* sums) const {
    for (int row = 0; row < rows; row++)
      args_.accumulator->add(output, plane, first + row, sums + row * width_, args_.out_size[2], bias(output));
  }

  const float* write_output(int output, int plane, int first, int rows, const float* sums) const {
    const int width = args_.out_size[2];
    const long line = (static_cast<long>(output) * args_.out_size[0] + plane) * args_.out_size[1] + first;
    float* image = args_.out + line * width;
    for (int row = 0; row < rows; row++)
      for (int w = 0; w < width; w++) image[row * width + w] = sums[row * width_ + w] + bias(output);
    return image;
  }

  float bias(int output) const { return args_.bias ? args_.bias[output] : 0.f; }

  const ConvolutionArgs& args_;
  const int terms_, width_, rows_;  // of a sum; of a row, in whole vectors; of a piece
  const bool halves_;               // whether copy_halves applies
  const Floats weights_;
};

// A transposed convolution whose blocks of outputs do not overlap: each input voxel gives one block.
class BlockTransposed {
 public:
  explicit BlockTransposed(const ConvolutionArgs& args)
      : args_(args),
        block_(volume(args.kernel_size)),
        sums_(args.outputs * block_),
        width_(whole_vectors(args.size[2])),
        weights_(static_cast<size_t>(args.inputs) * sums_) {}

  void run() {
    for (int input = 0; input < args_.inputs; input++)
      for (int n = 0; n < sums_; n++)
        weights_.data()[weight_offset(input, n, args_.inputs, sums_)] =
            args_.kernel[static_cast<long>(input) * sums_ + n];
    on_threads(args_.size[0] * args_.size[1], args_.threads, [&] {
      return [&, inputs = Floats(static_cast<size_t>(args_.inputs) * width_),
              sums = Floats(static_cast<size_t>(sums_) * width_)](int line) {
        for (int input = 0; input < args_.inputs; input++) {
          float* to = inputs.data() + input * width_;
          copy_normed(args_.row(input, 0, line), args_.size[2], args_.input_norm(input), to);
          std::fill(to + args_.size[2], to + width_, 0.f);
        }
        multiply(inputs.data(), args_.inputs, width_, weights_.data(), sums_, sums.data(), width_, width_);
        const int lines = sums_ / args_.kernel_size[2];
        for (int n = 0; n < lines; n++)
          store_line(n, line / args_.size[1], line % args_.size[1],
                     sums.data() + static_cast<long>(n) * args_.kernel_size[2] * width_);
      };
    });
  }

 private:
  // line: counts outputs and the first two axes of the kernel. Voxel w * stride + k of the row is sums[k][w].
  void store_line(int line, int plane, int row, const float* sums) const {
    const int32_t *kernel = args_.kernel_size, *size = args_.out_size;
    const int output = line / (kernel[0] * kernel[1]), i = line / kernel[1] % kernel[0], j = line % kernel[1];
    const int z = plane * kernel[0] + i, y = row * kernel[1] + j, step = kernel[2];
    float* to = args_.out + ((static_cast<long>(output) * size[0] + z) * size[1] + y) * size[2];
    const float bias = args_.bias ? args_.bias[output] : 0.f;
    int w = 0;
    if (step == 2)
      for (; w + LANES <= args_.size[2]; w += LANES) {
        const Vector first = load(sums + w) + bias, second = load(sums + width_ + w) + bias;
        store(to + 2 * w, zip_low(first, second));
        store(to + 2 * w + LANES, zip_high(first, second));
      }
    for (; w < args_.size[2]; w++)
      for (int k = 0; k < step; k++) to[w * step + k] = sums[k * width_ + w] + bias;
  }

  const ConvolutionArgs& args_;
  const int block_, sums_, width_;  // voxels of the kernel; sums per input voxel; of a row, in whole vectors
  const Floats weights_;
};

}  // namespace segcube
