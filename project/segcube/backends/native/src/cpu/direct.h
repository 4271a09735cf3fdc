// Every other convolution, and transposed ones whose kernel is as large as its stride, as products of matrices.
#pragma once
#include <algorithm>

#include "convolution.h"
#include "product.h"
#include "threads.h"

namespace segcube {

// Floats of a piece's input that stay in a core's own cache.
constexpr long CACHED = 1 << 16;
constexpr int MOST_VOXELS = 256;

// A convolution of any kernel and stride: the inputs that each output sees are laid out, a column a voxel.
class Direct {
 public:
  explicit Direct(const Convolution& how)
      : how_(how),
        terms_(how.inputs * volume(how.kernel_size)),
        width_(whole_vectors(how.out_size[2])),
        rows_(std::max(1L, std::min<long>(how.out_size[1], most_voxels() / width_))),
        halves_(how.kernel_size[2] == 3 && how.stride[2] == 2 && how.before[2] == 1 && how.size[2] % (2 * LANES) == 0),
        weights_(static_cast<size_t>(terms_) * how.outputs) {}

  void run() {
    on_threads(how_.outputs, how_.threads, [&] {
      return [&](int n) {
        lay_out_weights(how_.kernel + static_cast<long>(n) * terms_, n, terms_, how_.outputs, weights_.data());
      };
    });
    const int strips = (how_.out_size[1] + rows_ - 1) / rows_, voxels = rows_ * width_;
    Gathered gathered(how_, how_.out_size[0] * strips);
    on_threads(how_.out_size[0] * strips, how_.threads, [&] {
      return [&, line = Floats(how_.size[2]), columns = Floats(static_cast<size_t>(terms_) * voxels),
              sums = Floats(static_cast<size_t>(how_.outputs) * voxels)](int piece) {
        const int plane = piece / strips, first = piece % strips * rows_;
        const int rows = std::min(how_.out_size[1] - first, rows_);
        for (int row = 0; row < rows; row++) lay_out(plane, first + row, line.data(), columns.data() + row * width_);
        multiply(columns.data(), terms_, voxels, weights_.data(), how_.outputs, sums.data(), voxels, rows * width_);
        for (int n = 0; n < how_.outputs; n++) {
          const float* made = sums.data() + static_cast<long>(n) * voxels;
          if (how_.onto)
            add_output(n, plane, first, rows, made);
          else
            gathered.look(piece, n, write_output(n, plane, first, rows, made), rows * how_.out_size[2]);
        }
      };
    });
    gathered.write();
  }

 private:
  // Of a piece: two vectors at least.
  int most_voxels() const { return std::min(MOST_VOXELS, std::max<int>(CACHED / terms_, 2 * LANES)); }

  // What a row of outputs sees, term by term. line: scratch, as long as a row of inputs.
  void lay_out(int plane, int row, float* line, float* column) const {
    const long pitch = static_cast<long>(rows_) * width_;
    const int32_t* kernel = how_.kernel_size;
    for (int channel = 0; channel < how_.inputs; channel++)
      for (int i = 0; i < kernel[0]; i++)
        for (int j = 0; j < kernel[1]; j++) {
          const int z = plane * how_.stride[0] + i - how_.before[0], y = row * how_.stride[1] + j - how_.before[1];
          const bool inside = z >= 0 && z < how_.size[0] && y >= 0 && y < how_.size[1];
          if (inside && channel + 1 < how_.inputs) ask_for(how_.row(channel + 1, z, y), how_.size[2]);
          const float* from = inside ? line_of(channel, z, y, line) : nullptr;
          if (from && halves_)
            take_halves(from, column, pitch);
          else
            for (int k = 0; k < kernel[2]; k++) take_line(from, k - how_.before[2], column + k * pitch);
          column += kernel[2] * pitch;
        }
  }

  const float* line_of(int channel, int z, int y, float* line) const {
    const float* image = how_.row(channel, z, y);
    const Reading* reading = how_.reading(channel);
    if (!reading || !reading->changes()) return image;
    read(image, how_.size[2], reading, line);
    return line;
  }

  // Three columns at once for a stride of 2: the last one, a voxel later, is the first one.
  void take_halves(const float* line, float* to, long pitch) const {
    for (int w = 0; w < width_; w += LANES) {
      const Vector a = load(line + 2 * w), b = load(line + 2 * w + LANES);
      store(to + pitch + w, even(a, b));
      store(to + 2 * pitch + w, odd(a, b));
    }
    to[0] = 0;
    copy(to + 2 * pitch, width_ - 1, to + 1);
  }

  // to[w] = line[w * stride + offset], zero beyond the border.
  void take_line(const float* line, int offset, float* to) const {
    const int stride = how_.stride[2], size = how_.size[2], count = how_.out_size[2];
    if (!line) {
      std::fill_n(to, width_, 0.f);
      return;
    }
    const int first = std::min(count, offset < 0 ? (-offset + stride - 1) / stride : 0);
    const int past = std::max(first, std::min(count, size - offset > 0 ? (size - offset + stride - 1) / stride : 0));
    std::fill_n(to, first, 0.f);
    int w = first;
    if (stride == 1) {
      copy(line + first + offset, past - first, to + first);
      w = past;
    } else if (stride == 2) {
      for (; w + LANES <= past && 2 * (w + LANES) + offset <= size; w += LANES)
        store(to + w, even(load(line + 2 * w + offset), load(line + 2 * w + offset + LANES)));
    }
    for (; w < past; w++) to[w] = line[w * stride + offset];
    std::fill(to + past, to + width_, 0.f);
  }

  void add_output(int output, int plane, int first, int rows, const float* sums) const {
    for (int row = 0; row < rows; row++)
      how_.onto->add(output, plane, first + row, sums + row * width_, how_.out_size[2], bias(output));
  }

  const float* write_output(int output, int plane, int first, int rows, const float* sums) const {
    const int width = how_.out_size[2];
    const long line = (static_cast<long>(output) * how_.out_size[0] + plane) * how_.out_size[1] + first;
    float* image = how_.out + line * width;
    for (int row = 0; row < rows; row++)
      for (int w = 0; w < width; w++) image[row * width + w] = sums[row * width_ + w] + bias(output);
    return image;
  }

  float bias(int output) const { return how_.bias ? how_.bias[output] : 0.f; }

  const Convolution& how_;
  const int terms_, width_, rows_;  // of a sum; of a row in whole vectors; of a piece
  const bool halves_;               // whether rows fall into whole vectors of even voxels and of odd ones
  const Floats weights_;
};

// A transposed convolution: every input makes a block of outputs of its own.
class Blocks {
 public:
  explicit Blocks(const Convolution& how)
      : how_(how),
        taps_(volume(how.kernel_size)),
        made_(how.outputs * taps_),
        width_(whole_vectors(how.size[2])),
        weights_(static_cast<size_t>(how.inputs) * made_) {}

  void run() {
    for (int input = 0; input < how_.inputs; input++)
      for (int n = 0; n < made_; n++)
        weights_.data()[weight_at(input, n, how_.inputs, made_)] = how_.kernel[static_cast<long>(input) * made_ + n];
    on_threads(how_.size[0] * how_.size[1], how_.threads, [&] {
      return [&, seen = Floats(static_cast<size_t>(how_.inputs) * width_),
              sums = Floats(static_cast<size_t>(made_) * width_)](int line) {
        for (int input = 0; input < how_.inputs; input++) {
          float* to = seen.data() + input * width_;
          read(how_.row(input, 0, line), how_.size[2], how_.reading(input), to);
          std::fill(to + how_.size[2], to + width_, 0.f);
        }
        multiply(seen.data(), how_.inputs, width_, weights_.data(), made_, sums.data(), width_, width_);
        const int lines = made_ / how_.kernel_size[2];
        for (int n = 0; n < lines; n++)
          put_line(n, line / how_.size[1], line % how_.size[1],
                   sums.data() + static_cast<long>(n) * how_.kernel_size[2] * width_);
      };
    });
  }

 private:
  // `line` counts outputs and the first two axes of the kernel; sums[k][w] is at w * stride + k.
  void put_line(int line, int plane, int row, const float* sums) const {
    const int32_t *kernel = how_.kernel_size, *size = how_.out_size;
    const int output = line / (kernel[0] * kernel[1]), i = line / kernel[1] % kernel[0], j = line % kernel[1];
    const int z = plane * kernel[0] + i, y = row * kernel[1] + j, step = kernel[2];
    float* to = how_.out + ((static_cast<long>(output) * size[0] + z) * size[1] + y) * size[2];
    const float bias = how_.bias ? how_.bias[output] : 0.f;
    int w = 0;
    if (step == 2)
      for (; w + LANES <= how_.size[2]; w += LANES) {
        const Vector first = load(sums + w) + bias, second = load(sums + width_ + w) + bias;
        store(to + 2 * w, zip_low(first, second));
        store(to + 2 * w + LANES, zip_high(first, second));
      }
    for (; w < how_.size[2]; w++)
      for (int k = 0; k < step; k++) to[w * step + k] = sums[k * width_ + w] + bias;
  }

  const Convolution& how_;
  const int taps_, made_, width_;  // of the kernel; sums an input voxel; of a row in whole vectors
  const Floats weights_;
};

}  // namespace segcube
