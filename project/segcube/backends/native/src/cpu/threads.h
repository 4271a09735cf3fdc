// Work in pieces on several threads, and aligned scratch memory.
#pragma once
#include <atomic>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

namespace segcube {

// Run worker(piece) for all pieces on up to `threads` threads, the calling one among them. make() creates a thread's
// worker with its own scratch memory. Threads fetch pieces from a common counter. If the system refuses threads, those
// that exist do all the work. Rethrows a worker's exception after all threads have ended.
template <class Make>
void on_threads(int pieces, int threads, const Make& make) {
  std::atomic<int> next{0};
  std::mutex lock;
  std::exception_ptr thrown;
  const auto work = [&] {
    try {
      auto worker = make();
      for (int piece = next++; piece < pieces; piece = next++) worker(piece);
    } catch (...) {
      const std::lock_guard<std::mutex> hold(lock);
      thrown = std::current_exception();
    }
  };
  std::vector<std::thread> helpers;
  const int count = threads < pieces ? threads : pieces;
  helpers.reserve(count > 1 ? count - 1 : 0);
  try {
    while (static_cast<int>(helpers.size()) + 1 < count) helpers.emplace_back(work);
  } catch (const std::system_error&) {
  }
  work();
  for (std::thread& helper : helpers) helper.join();
  if (thrown) std::rethrow_exception(thrown);
}

// Uninitialised floats, aligned to a cache line.
class Floats {
 public:
  explicit Floats(size_t count) : data_(static_cast<float*>(std::aligned_alloc(64, (count * 4 + 127) / 64 * 64))) {
    if (!data_) throw std::bad_alloc();
  }
  float* data() const { return data_.get(); }

 private:
  struct Free {
    void operator()(float* data) const { std::free(data); }
  };
  std::unique_ptr<float, Free> data_;
};

}  // namespace segcube
