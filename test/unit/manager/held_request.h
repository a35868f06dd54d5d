// HeldRequest: one kind of request to one member that is not answered before a test says so.
#pragma once

#include <poll.h>

#include <atomic>
#include <memory>
#include <string>

#include "test/unit/manager/managed_pool.h"

namespace hsmops::manager {

struct HeldRequest {
  std::string node;
  agent::Verb verb;
  std::atomic<bool> held{true};
  std::atomic<int> waiting{0};
};

class HeldChannel : public agent::Channel {
 public:
  HeldChannel(std::unique_ptr<agent::Channel> inner, std::string node, HeldRequest& request)
      : inner_(std::move(inner)), node_(std::move(node)), request_(request) {}
  base::Result<base::SecretBytes> Call(base::SecretBytes request) override {
    const auto verb = static_cast<agent::Verb>(request.view()[0]);
    base::Result<base::SecretBytes> answer = inner_->Call(std::move(request));
    if (node_ == request_.node && verb == request_.verb) {
      ++request_.waiting;
      while (request_.held) poll(nullptr, 0, 1);
      --request_.waiting;
    }
    return answer;
  }

 private:
  const std::unique_ptr<agent::Channel> inner_;
  const std::string node_;
  HeldRequest& request_;
};

// Time that the turns of a test move: who sleeps waits for them.
class TurnsClock : public base::Clock {
 public:
  explicit TurnsClock(base::Clock& inner) : inner_(inner) {}
  base::TimePoint Now() const override { return inner_.Now(); }
  base::WallTime Wall() const override { return inner_.Wall(); }
  void SleepFor(base::Duration) override { poll(nullptr, 0, 2); }

 private:
  base::Clock& inner_;
};

// The world of a pool, with threads, in which that request is held.
class HeldWorld {
 public:
  HeldWorld(ManagedPool& w, HeldRequest& request)
      : clock_(w.pool.world().clock),
        world{w.pool.world().resources, clock_, w.pool.world().rng, executor_,
              [&w, &request](const std::string& node, const std::string&, const store::Uid&,
                             const store::Uid&) {
                return std::make_unique<agent::Client>(
                    std::make_unique<HeldChannel>(w.pool.ChannelTo(node), node, request));
              }} {
    world.ends = [this] { return ends.load(); };
  }
  std::atomic<bool> ends{false};

 private:
  base::ThreadExecutor executor_;
  TurnsClock clock_;

 public:
  World world;
};

}  // namespace hsmops::manager
