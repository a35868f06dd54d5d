// ErrandScene: a, b and c, equal, and a Reinit of c that one held request keeps under way.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <string>

#include "test/unit/manager/held_request.h"

namespace hsmops::manager {

inline cluster::HSMOperationSpec SpecOf(cluster::OperationType type,
                                        const std::string& target = {}) {
  cluster::HSMOperationSpec spec;
  spec.type = type;
  spec.target_node = target;
  return spec;
}

class ErrandScene {
 public:
  // The request that is held, of c; `k`: minSyncMirrors.
  explicit ErrandScene(agent::Verb verb, int k = 1) : request{"c", verb} {
    w.EditMirroring([k](cluster::MirroringSpec& m) {
      m.sync_interval = std::chrono::seconds(1);
      m.min_sync_mirrors = k;
    });
    request.held = false;
    Turns(10);
    REQUIRE(w.pool.Open()->SyncSetNodes().size() == 2);
    REQUIRE(w.Put("a", "app", "1").ok());
    request.held = true;
  }
  ~ErrandScene() { GoOn(); }

  void Begin() {
    w.pool.Ask("wipe", SpecOf(cluster::OperationType::kReinit, "c"));
    REQUIRE(TurnsUntil([&] { return request.waiting >= 1; }));
  }
  void GoOn() { request.held = false; }
  // Each with a little time, in which who works beside them comes on.
  void Turns(int count) { TurnsOf(leader, count); }
  void TurnsOf(Controller& one, int count) {
    for (int i = 0; i < count; ++i) {
      w.Grant();
      w.TurnsOf(one, 1);
      poll(nullptr, 0, 5);
    }
  }
  bool TurnsUntil(const std::function<bool()>& holds, int most = 60) {
    for (int i = 0; i < most && !holds(); ++i) Turns(1);
    return holds();
  }
  // Without a turn.
  bool EndsBeside() {
    for (int i = 0; i < 1000 && !Ended(); ++i) poll(nullptr, 0, 5);
    return Ended();
  }
  bool Moves(const std::string& to) {
    return TurnsUntil([&] { return w.pool.holder() == to; });
  }
  bool Ended() { return w.pool.Operation("wipe").Finished(); }
  cluster::OperationPhase PhaseOf(const std::string& name) {
    return w.pool.Operation(name).status.phase;
  }
  cluster::DeviceStatus StatusOf(const std::string& node) {
    const auto devices = w.pool.Open()->device().status.devices;
    const auto found = std::ranges::find(devices, node, &cluster::DeviceStatus::node_name);
    REQUIRE(found != devices.end());
    return *found;
  }
  // R as one leaves it that has passed P2 for `target` and is gone.
  void BeginPromotion(const std::string& target) {
    auto other = w.pool.Open();
    cluster::Arbiter next = other->arbiter();
    next.previous = other->LastTerm();
    next.holder.reset();
    next.phase = cluster::ArbiterPhase::kPromoting;
    ++next.epoch.counter;
    next.target = other->UidTextOf(target);
    ++next.generation;
    REQUIRE(other->Swap(next).ok());
  }

  HeldRequest request;
  ManagedPool w{{"a", "b", "c"}};
  HeldWorld held{w, request};
  Controller leader{held.world, "default", "d"};
};

}  // namespace hsmops::manager
