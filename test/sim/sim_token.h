// SimToken: the token as a process of the simulator reaches it: calls take time, so others run in
// between, and a process that was killed reaches nothing any more.
#pragma once

#include "libhsmops/token/memory_token.h"
#include "test/sim/scheduler.h"

namespace hsmops::sim {

class SimToken : public token::Token {
 public:
  // `slow`: so many calls in a hundred let others run.
  SimToken(Scheduler& scheduler, token::MemoryToken& inner, int slow)
      : scheduler_(scheduler), inner_(inner), slow_(slow) {}

  const token::Profile& profile() const override { return inner_.profile(); }
  std::uint64_t view() const override { return inner_.view(); }
  bool view_lost() const override { return scheduler_.dead() || inner_.view_lost(); }

  base::Result<void> Refresh() override {
    return Call([&] { return inner_.Refresh(); });
  }
  base::Result<token::Status> ReadStatus() override {
    return Call([&] { return inner_.ReadStatus(); });
  }
  base::Result<void> Watch() override {
    return Call([&] { return inner_.Watch(); });
  }
  base::Result<base::Bytes> Random(std::size_t size) override {
    return Call([&] { return inner_.Random(size); });
  }
  base::Result<std::vector<token::ObjectHandle>> Find(std::string_view application) override {
    return Call([&] { return inner_.Find(application); });
  }
  base::Result<std::vector<token::ObjectHandle>> FindLabel(std::string_view application,
                                                           std::string_view label) override {
    return Call([&] { return inner_.FindLabel(application, label); });
  }
  base::Result<token::StoredObject> Read(token::ObjectHandle object) override {
    return Call([&] { return inner_.Read(object); });
  }
  base::Result<std::string> ReadLabel(token::ObjectHandle object) override {
    return Call([&] { return inner_.ReadLabel(object); });
  }
  base::Result<token::ObjectHandle> Create(std::string_view application, std::string_view label,
                                           base::ByteView value) override {
    return Call([&] { return inner_.Create(application, label, value); });
  }
  base::Result<void> Destroy(token::ObjectHandle object) override {
    return Call([&] { return inner_.Destroy(object); });
  }
  base::Result<void> Barrier() override {
    return Call([&] { return inner_.Barrier(); });
  }
  base::Result<void> SyncAll() override {
    return Call([&] { return inner_.SyncAll(); });
  }

 private:
  template <typename F>
  auto Call(F call) -> decltype(call()) {
    Pass();
    if (scheduler_.dead()) return Gone();
    auto done = call();
    Pass();
    if (scheduler_.dead()) return Gone();
    return done;
  }
  void Pass() {
    if (scheduler_.current() == nullptr || scheduler_.dead()) return;
    if (static_cast<int>(scheduler_.Below(100)) >= slow_) return;
    scheduler_.SleepUntil(scheduler_.now() + std::chrono::microseconds(scheduler_.Below(2000)));
  }
  static base::Error Gone() {
    return {base::ErrorCode::kUnavailable, "the process that asks was killed"};
  }

  Scheduler& scheduler_;
  token::MemoryToken& inner_;
  const int slow_;
};

}  // namespace hsmops::sim
