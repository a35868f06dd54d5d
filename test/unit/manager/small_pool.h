// SmallPool: a device with agents on tokens in memory, over channels that a test may break.
#pragma once

#include <doctest/doctest.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "libhsmops/agent/client.h"
#include "libhsmops/agent/replicating_agent.h"
#include "libhsmops/agent/verb.h"
#include "libhsmops/cluster/memory_resource_store.h"
#include "libhsmops/cluster/typed_store.h"
#include "libhsmops/manager/pool.h"
#include "libhsmops/token/memory_token.h"

namespace hsmops::manager {

enum class Reached : std::uint8_t {
  kYes,
  kBusy,  // its token is at something long: only what it remembers is answered
  kNo,
};

inline cluster::HSMOperationSpec FailoverTo(const std::string& target, bool accept_loss = false) {
  cluster::HSMOperationSpec spec;
  spec.type = cluster::OperationType::kFailover;
  spec.target_node = target;
  spec.accept_loss = accept_loss;
  return spec;
}

class SmallPool {
 public:
  explicit SmallPool(const std::vector<std::string>& nodes) {
    cluster::HSMDevice device;
    device.metadata.ns = "default";
    device.metadata.name = "d";
    cluster::MirroringSpec& mirroring = device.spec.mirroring.emplace();
    for (const std::string& node : nodes) mirroring.endpoints[node] = "https://" + node + ":9443";
    mirroring.primary_node = nodes.front();
    REQUIRE(cluster::CreateNew(resources_, device).ok());
    REQUIRE(CreateArbiterFor(world_, device).ok());
    auto pool = Open();
    for (const std::string& node : nodes) {
      hosts_[node] = std::make_unique<Host>(*this, pool->uid(), node);
      REQUIRE(hosts_.at(node)->agent.Initialize(pool->term(), false).ok());
    }
  }

  std::unique_ptr<Pool> Open() {
    auto opened = Pool::Open(world_, "default", "d");
    REQUIRE_MESSAGE(opened.ok(), opened.error().message());
    return *std::move(opened);
  }
  void EditFailover(const std::function<void(cluster::FailoverSpec&)>& edit) {
    auto device = cluster::Load<cluster::HSMDevice>(resources_, "default", "d");
    REQUIRE(device.ok());
    edit(device->spec.mirroring->failover);
    REQUIRE(cluster::Save(resources_, *device).ok());
  }
  cluster::HSMOperation Operation(const std::string& name) {
    auto loaded = cluster::Load<cluster::HSMOperation>(resources_, "default", name);
    REQUIRE(loaded.ok());
    return *std::move(loaded);
  }
  // As one that is new: nothing is on record, and these tokens are blank.
  store::Uid Forget(const std::vector<std::string>& blank) {
    const store::Uid uid = Open()->uid();
    for (const std::string& node : blank) hosts_[node] = std::make_unique<Host>(*this, uid, node);
    auto device = cluster::Load<cluster::HSMDevice>(resources_, "default", "d");
    REQUIRE(device.ok());
    device->status = {};
    REQUIRE(cluster::SaveStatus(resources_, *device).ok());
    REQUIRE(
        resources_.Delete(cluster::Kind::kLease, "default", cluster::ArbiterName("d"), {}).ok());
    return uid;
  }
  // Asked for, and done by nobody yet.
  void Ask(const char* name, cluster::HSMOperationSpec spec) {
    cluster::HSMOperation operation;
    operation.metadata.ns = "default";
    operation.metadata.name = name;
    operation.spec = std::move(spec);
    operation.spec.device_ref = {"d", ""};
    REQUIRE(cluster::CreateNew(resources_, operation).ok());
  }
  // How often this was told as an Event.
  int Told(const std::string& reason) {
    const auto events = cluster::LoadAll<cluster::Event>(resources_, "default");
    REQUIRE(events.ok());
    return static_cast<int>(std::count_if(events->items.begin(), events->items.end(),
                                          [&](const auto& one) { return one.reason == reason; }));
  }
  std::string holder() { return Open()->holder(); }

  // Called once, before a request of that kind is served.
  void Before(agent::Verb verb, std::function<void()> act) {
    const std::lock_guard lock(before_mutex_);
    before_[verb] = std::move(act);
  }
  // It answers everything but these.
  void Deafen(const std::string& node, std::set<agent::Verb> to) {
    hosts_.at(node)->deaf_to = std::move(to);
  }
  // How many requests went to it, from whoever.
  int Asked(const std::string& node) const { return hosts_.at(node)->asked; }
  void Reach(const std::string& node, Reached reached) { hosts_.at(node)->reached = reached; }
  // Members do not reach each other; managers reach them all.
  void SetApart(bool apart) { apart_ = apart; }
  // The same of one; "" for none.
  void SetApartFrom(const std::string& node) { apart_from_ = node; }
  // A manager's way to it.
  std::unique_ptr<agent::Channel> ChannelTo(const std::string& node) {
    return std::make_unique<HostChannel>(*this, node, nullptr);
  }
  mirror::Member& member(const std::string& node) { return hosts_.at(node)->agent; }
  token::MemoryToken& token(const std::string& node) { return hosts_.at(node)->token; }
  World& world() { return world_; }
  base::ManualClock& clock() { return clock_; }

 private:
  struct Host;
  // Empty: nothing is to be called.
  std::function<void()> TakeBefore(agent::Verb verb) {
    const std::lock_guard lock(before_mutex_);
    auto taken = before_.extract(verb);
    return taken ? std::move(taken.mapped()) : nullptr;
  }
  class HostChannel : public agent::Channel {
   public:
    // `cut`: nullptr, or whether nothing goes this way now.
    HostChannel(SmallPool& pool, std::string node, const bool* cut)
        : pool_(pool), node_(std::move(node)), cut_(cut) {}
    base::Result<base::SecretBytes> Call(base::SecretBytes request) override {
      const auto host = pool_.hosts_.find(node_);
      const bool cut = cut_ != nullptr && (*cut_ || pool_.apart_from_ == node_);
      if (host != pool_.hosts_.end()) ++host->second->asked;
      if (cut || host == pool_.hosts_.end() || host->second->reached == Reached::kNo ||
          (host->second->reached == Reached::kBusy && !agent::AsksTold(request.view())))
        return base::Error(base::ErrorCode::kUnavailable, "no answer in time");
      const auto verb = static_cast<agent::Verb>(request.view()[0]);
      if (host->second->deaf_to.contains(verb))
        return base::Error(base::ErrorCode::kUnavailable, "no answer in time");
      if (const auto act = pool_.TakeBefore(verb)) act();
      return agent::Serve(host->second->agent, request.view());
    }

   private:
    SmallPool& pool_;
    const std::string node_;
    const bool* cut_;
  };

  struct Host {
    Host(SmallPool& all, const store::Uid& pool, const std::string& node)
        : token({"khsm", "nobody", "memory", "serial-" + node}, kProfile, all.rng_),
          agent(pool, MemberUid(pool, node), node, token, ledger, all.clock_, all.rng_,
                all.executor_, [&all](const store::Uid&, const mirror::PeerAddress& address) {
                  return std::make_unique<agent::Client>(
                      std::make_unique<HostChannel>(all, address.node, &all.apart_));
                }) {}
    static constexpr token::Profile kProfile{"softhsm", 1024, 4096, token::Proof::kFiles, 0};
    token::MemoryToken token;
    store::Ledger ledger = store::Ledger::InMemory();
    agent::ReplicatingAgent agent;
    Reached reached = Reached::kYes;
    std::set<agent::Verb> deaf_to;
    std::atomic<int> asked = 0;
  };

  base::ManualClock clock_;
  base::SystemRng rng_;
  base::SequentialExecutor executor_;
  cluster::MemoryResourceStore resources_{clock_, rng_};
  std::map<std::string, std::unique_ptr<Host>> hosts_;
  std::mutex before_mutex_;
  std::map<agent::Verb, std::function<void()>> before_;
  bool apart_ = false;
  std::string apart_from_;
  World world_{
      resources_, clock_, rng_, executor_,
      [this](const std::string& node, const std::string&, const store::Uid&, const store::Uid&) {
        return std::make_unique<agent::Client>(std::make_unique<HostChannel>(*this, node, nullptr));
      }};
};

}  // namespace hsmops::manager
