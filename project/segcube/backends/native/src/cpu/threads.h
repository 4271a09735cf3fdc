// Work in pieces on a pool of threads, and aligned scratch memory.
#pragma once
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

namespace segcube {

// std::condition_variable::wait would need a newer C++ library than the wheel's tag promises.
class Condition {
 public:
  void wait(std::unique_lock<std::mutex>& hold) { pthread_cond_wait(&condition_, hold.mutex()->native_handle()); }
  void notify_one() { pthread_cond_signal(&condition_); }

 private:
  pthread_cond_t condition_ = PTHREAD_COND_INITIALIZER;
};

// Threads that help with the calls of a process. They start when they are first needed and wait for the next call, until
// the process ends; therefore a pool is never destroyed.
class ThreadPool {
 public:
  // Run work() in this thread, and at the same time in up to `helpers` others that are idle. Returns when all of them
  // have ended. Several threads may call it: each does at least its own work. work must not throw.
  void run(const std::function<void()>& work, int helpers) {
    if (helpers < 1) return work();
    Call call{work, helpers};
    {
      const std::lock_guard<std::mutex> hold(lock_);
      calls_.push_back(&call);
      start(helpers);
    }
    for (int i = 0; i < helpers; i++) called_.notify_one();
    work();
    std::unique_lock<std::mutex> hold(lock_);
    calls_.erase(std::remove(calls_.begin(), calls_.end(), &call), calls_.end());
    while (call.running) call.ended.wait(hold);
  }

 private:
  struct Call {
    const std::function<void()>& work;
    int missing;      // helpers that may still join
    int running = 0;  // helpers that have joined and not ended
    Condition ended{};
  };

  // The system may refuse threads; those that exist then do the work.
  void start(int helpers) {
    try {
      for (; threads_ < helpers; threads_++) std::thread([this] { help(); }).detach();
    } catch (const std::system_error&) {
    } catch (const std::bad_alloc&) {
    }
  }

  void help() {
    std::unique_lock<std::mutex> hold(lock_);
    while (true) {
      while (calls_.empty()) called_.wait(hold);
      Call& call = *calls_.front();
      call.running++;
      if (--call.missing == 0) calls_.erase(calls_.begin());
      hold.unlock();
      call.work();
      hold.lock();
      // The call may be gone as soon as the lock is released
      if (--call.running == 0) call.ended.notify_one();
    }
  }

  std::mutex lock_;
  Condition called_;
  std::vector<Call*> calls_;  // that take helpers
  int threads_ = 0;
};

// One per build of the kernels: not inline, which dlopen would merge. A forked child has none of its parent's threads,
// and perhaps a locked mutex, so that it gets another pool.
static ThreadPool* thread_pool = new ThreadPool;
static const int renewed_in_child = pthread_atfork(nullptr, nullptr, [] { thread_pool = new ThreadPool; });

// Run worker(piece) for all pieces on up to `threads` threads, the calling one among them. make() creates a thread's
// worker with its own scratch memory. Threads fetch pieces from a common counter. Throws bad_alloc after all threads have
// ended if a worker did; a std::exception_ptr would need a newer C++ library than the wheel's tag promises.
template <class Make>
void on_threads(int pieces, int threads, const Make& make) {
  std::atomic<int> next{0};
  std::atomic<bool> exhausted{false};
  const auto work = [&] {
    try {
      auto worker = make();
      for (int piece = next++; piece < pieces; piece = next++) worker(piece);
    } catch (const std::bad_alloc&) {
      exhausted = true;
    }
  };
  thread_pool->run(std::ref(work), std::min(threads, pieces) - 1);
  if (exhausted) throw std::bad_alloc();
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
