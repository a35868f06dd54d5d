// Watchdog: notices a call into a PKCS#11 module, or to a disk, that does not come back.
//
// A hung call cannot be cancelled; the process that made it must end, which is safe at any moment
// by Invariant A (protocol.md, 1). `on_hung` runs on the watchdog's own thread while the call still
// hangs: it says so to whoever waits, and ends the process.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace hsmops::token {

class Watchdog {
 public:
  using OnHung = std::function<void(const std::string& function)>;
  Watchdog(std::chrono::milliseconds limit, OnHung on_hung);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // Guards the calls of its scope; scopes do not nest. `function` must be a literal. Costs two
  // relaxed stores.
  class Call {
   public:
    Call(Watchdog& dog, const char* function) : dog_(dog) { dog_.Begin(function); }
    ~Call() { dog_.End(); }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    Watchdog& dog_;
  };

 private:
  void Begin(const char* function);
  void End() { function_.store(nullptr, std::memory_order_release); }
  void Watch(std::chrono::milliseconds limit);

  OnHung on_hung_;
  std::atomic<const char*> function_{nullptr};
  std::atomic<std::uint64_t> calls_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace hsmops::token
