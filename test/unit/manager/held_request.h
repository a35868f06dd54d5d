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

// The world of `w`, with threads, and in which that request is held.
inline World WorldHolding(ManagedPool& w, base::Executor& executor, HeldRequest& request) {
  World& inner = w.pool.world();
  return {inner.resources, inner.clock, inner.rng, executor,
          [&w, &request](const std::string& node, const std::string&, const store::Uid&,
                         const store::Uid&) {
            return std::make_unique<agent::Client>(
                std::make_unique<HeldChannel>(w.pool.ChannelTo(node), node, request));
          }};
}

}  // namespace hsmops::manager
