// Convolutions from several threads at once, which share the thread pool: `make sanitize` runs it with ThreadSanitizer.
#include <cstdio>
#include <thread>
#include <vector>

#include "../../../project/segcube/backends/native/src/cpu.cpp"

namespace {

constexpr int CALLERS = 4, CALLS = 25, INPUTS = 3, OUTPUTS = 4, SIZE[3] = {12, 15, 17};
constexpr int VOXELS = SIZE[0] * SIZE[1] * SIZE[2];

std::vector<float> numbers(int count) {
  std::vector<float> values(count);
  for (int i = 0; i < count; i++) values[i] = static_cast<float>(i * 7919 % 101 - 50) / 50;
  return values;
}

// The outputs of a 3x3x3 convolution and their moments. stride: 1 for Winograd's algorithm, 2 for direct sums.
std::vector<float> convolved(const std::vector<float>& image, const std::vector<float>& kernel, int stride) {
  std::vector<float> out(OUTPUTS * (VOXELS + 2));
  const float* channels[INPUTS];
  for (int c = 0; c < INPUTS; c++) channels[c] = image.data() + c * VOXELS;
  segcube::ConvolutionArgs args{};
  args.channels = channels;
  args.kernel = kernel.data();
  args.out = out.data();
  args.moments = out.data() + OUTPUTS * VOXELS;
  args.inputs = INPUTS;
  args.outputs = OUTPUTS;
  for (int axis = 0; axis < 3; axis++) {
    args.size[axis] = SIZE[axis];
    args.out_size[axis] = (SIZE[axis] - 1) / stride + 1;
    args.kernel_size[axis] = 3;
    args.stride[axis] = stride;
    args.padding[axis] = 1;
  }
  args.threads = 3;
  if (segcube_convolve(&args) != 0) std::abort();
  return out;
}

}  // namespace

int main() {
  const std::vector<float> image = numbers(INPUTS * VOXELS), kernel = numbers(OUTPUTS * INPUTS * 27);
  const std::vector<float> expected[2] = {convolved(image, kernel, 1), convolved(image, kernel, 2)};
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < CALLERS; caller++)
    callers.emplace_back([&, caller] {
      for (int call = 0; call < CALLS; call++) {
        const int which = (caller + call) % 2;
        if (convolved(image, kernel, which + 1) != expected[which]) wrong++;
      }
    });
  for (std::thread& caller : callers) caller.join();
  std::printf("%d calls from %d threads, %d with other results\n", CALLERS * CALLS, CALLERS, wrong.load());
  return wrong != 0;
}
