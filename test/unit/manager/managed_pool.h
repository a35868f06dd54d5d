// ManagedPool: a SmallPool whose grants are relayed and whose controller turns, as where managers
// run.
#pragma once

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "libhsmops/manager/controller.h"
#include "libhsmops/manager/grant.h"
#include "libhsmops/manager/promotion.h"
#include "test/unit/manager/small_pool.h"

namespace hsmops::manager {

inline const StepNote kSilently = [](const std::string&, const std::string&) {};

// Of one key "k"; an empty value deletes.
inline std::vector<store::Write> WriteOf(const char* name, const std::string& value,
                                         std::uint8_t op) {
  store::Write write{
      .name = *store::SecretName::Parse(name), .remove = value.empty(), .op_id = {op}};
  if (!value.empty()) write.keys.emplace("k", base::SecretBytes::FromText(value));
  std::vector<store::Write> writes;
  writes.push_back(std::move(write));
  return writes;
}

class ManagedPool {
 public:
  explicit ManagedPool(const std::vector<std::string>& nodes) : pool(nodes) {
    Turns(8);
    Grant();
  }

  void Grant() {
    const auto opened = pool.Open();
    if (!opened->holder().empty()) (void)GrantTo(*opened, opened->holder());
  }
  // So many of a leader that was started now, a second apart, while others relay grants.
  void Turns(int count) {
    Controller controller(pool.world(), "default", "d");
    for (int turn = 0; turn < count; ++turn) {
      Grant();
      said = controller.Turn().reason;
      pool.clock().Advance(std::chrono::seconds(1));
    }
    Grant();
  }
  // The same, of one leader that nobody helps, each after a health check interval.
  void TurnsOf(Controller& controller, int count) {
    for (int turn = 0; turn < count; ++turn) {
      said = controller.Turn().reason;
      pool.clock().Advance(std::chrono::seconds(2));
    }
  }
  // Also what no reader of ours accepts.
  void WriteMirroring(const char* field, nlohmann::json value) {
    auto& resources = pool.world().resources;
    const auto before = resources.Get(cluster::Kind::kHsmDevice, "default", "d");
    REQUIRE(before.ok());
    nlohmann::json document = before->document();
    document["spec"]["mirroring"][field] = std::move(value);
    const auto object = cluster::Object::From(document);
    REQUIRE(object.ok());
    REQUIRE(resources.Update(*object, object->version()).ok());
  }
  void EditMirroring(const std::function<void(cluster::MirroringSpec&)>& edit) {
    auto device = cluster::Load<cluster::HSMDevice>(pool.world().resources, "default", "d");
    REQUIRE(device.ok());
    edit(*device->spec.mirroring);
    REQUIRE(cluster::Save(pool.world().resources, *device).ok());
  }
  base::Result<mirror::Acknowledged> Put(const std::string& node, const char* name,
                                         const std::string& value) {
    mirror::Member& primary = pool.member(node);
    HSM_TRY(auto results, primary.Put(primary.TakePulse()->stamp, WriteOf(name, value, ++op)));
    return std::move(results[0]);
  }
  // As its Primary: the value, "absent", or "error: …".
  std::string Seen(const std::string& node, const char* name) {
    const auto read = pool.member(node).Read(*store::SecretName::Parse(name), true);
    if (!read.ok()) return "error: " + read.error().message();
    if (!read->secret) return "absent";
    const base::ByteView value = read->secret->keys.at("k").view();
    return {value.begin(), value.end()};
  }
  // A person's, whatever it costs.
  base::Result<PromotionReport> ForceTo(const std::string& target) {
    PromotionOptions options;
    options.purpose = failover::Purpose::kFailover;
    options.target = target;
    options.accept_loss = true;
    return Promote(*pool.Open(), options, kSilently);
  }

  SmallPool pool;
  std::string said;  // by the last turn
  std::uint8_t op = 0;
};

}  // namespace hsmops::manager
