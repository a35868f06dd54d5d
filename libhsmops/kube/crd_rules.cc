#include "libhsmops/kube/crd_rules.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "libhsmops/cluster/endpoint.h"
#include "libhsmops/cluster/resources.h"
#include "libhsmops/kube/schema_path.h"

namespace hsmops::kube {

using cluster::Kind;
using nlohmann::json;

namespace {

constexpr const char* kRules = "x-kubernetes-validations";
constexpr int kMaxNamespaces = 1024;

// RFC 1123: a subdomain, and one that may be empty, which is read as absent.
constexpr const char* kName =
    R"(^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$)";
constexpr const char* kNameOrNone =
    R"(^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)?$)";

// store::SecretName.
constexpr const char* kSecretNameOrNone =
    R"(^([a-z0-9]([-a-z0-9._]*[a-z0-9])?(/[a-z0-9]([-a-z0-9._]*[a-z0-9])?)*)?$)";

// Keywords for the schema at a path (schema_path.h).
struct Addition {
  std::string path;
  json keywords;
};

json Rule(std::string rule, std::string message) {
  return {{"rule", std::move(rule)}, {"message", std::move(message)}};
}
json Rules(json rules) { return {{kRules, std::move(rules)}}; }
json NameOf(const char* pattern) {
  return {{"pattern", pattern}, {"maxLength", cluster::kMaxNameBytes}};
}
json Within(std::int64_t least, std::int64_t most) {
  return {{"minimum", least}, {"maximum", most}};
}
json Seconds(std::int64_t least) { return Within(least, cluster::kMaxInterval.count()); }

// Messages name no value: a URI may hold a PIN.
json UriRules(bool endpoint) {
  json rules = json::array(
      {Rule(R"(!self.lowerAscii().matches('[:;?&](pin-value|[^=;?&]*%[^=;?&]*)='))",
            "holds a PIN (pin-value), or a '%' in the name of an attribute; use pinSecret or "
            "pin-source=file:/path instead"),
       Rule(R"(!self.lowerAscii().matches('[:;?&]pin-source=(%20|%09|%0a|%0d)*(%7c|[|])'))",
            "asks for a command to be run (pin-source=|...); use pin-source=file:/path instead")});
  if (endpoint) {
    rules.push_back(Rule("self.startsWith('pkcs11:') || self.startsWith('https://')",
                         "is neither a pkcs11: URI nor https://host[:port]"));
    rules.push_back(
        Rule(R"(!self.startsWith('https://') || )"
             R"(self.matches('^https://([^]/?#@:\\[\\\\[:space:]]+|\\[[^]/?#@\\\\[:space:]]+\\]))"
             R"((:0*([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|)"
             R"(655[0-2][0-9]|6553[0-5]))?$'))",
             "is not https://host[:port] without user, path or query"));
  } else {
    rules.push_back(
        Rule("self == '' || self.startsWith('pkcs11:')", "does not begin with pkcs11:"));
  }
  return {{"maxLength", cluster::kMaxEndpointBytes}, {kRules, std::move(rules)}};
}

// Nodes of a list or the keys of a map are members, where targetNodes say who they are; `unless`:
// and this, which ends in "|| ", is not so.
json AreMembers(const std::string& field, const std::string& message,
                const std::string& unless = "") {
  return Rule(unless + "!has(self." + field +
                  ") || !has(self.targetNodes) || size(self.targetNodes) == 0 || self." + field +
                  ".all(n, n in self.targetNodes || (has(self.primaryNode) && n == "
                  "self.primaryNode))",
              message);
}

// How many there are of whom targetNodes and primaryNode of `mirroring` name.
std::string NodesNamed(const std::string& mirroring) {
  return fmt::format(
      "size({0}.targetNodes) + (has({0}.primaryNode) && {0}.primaryNode != '' && "
      "!({0}.primaryNode in {0}.targetNodes) ? 1 : 0)",
      mirroring);
}

json MirroringRules() {
  return json::array(
      {AreMembers("standbyNodes", "standbyNodes: names one that is not one of targetNodes"),
       AreMembers("endpoints", "endpoints: names a node that is not one of targetNodes"),
       AreMembers("failover.priorities",
                  "failover.priorities: names a node that is not one of targetNodes",
                  "!has(self.failover) || "),
       Rule("!has(self.primaryNode) || !has(self.standbyNodes) || !(self.primaryNode in "
            "self.standbyNodes)",
            "standbyNodes: names the primaryNode, which cannot be a standby"),
       Rule("!has(self.minSyncMirrors) || !has(self.targetNodes) || size(self.targetNodes) == 0 "
            "|| self.minSyncMirrors < " +
                NodesNamed("self"),
            "minSyncMirrors: so many mirrors cannot hold a write, for there are fewer nodes beside "
            "the Primary")});
}

std::vector<Addition> DeviceAdditions() {
  const std::string pkcs11 = "spec.pkcs11.";
  const std::string mirroring = "spec.mirroring.";
  const std::string failover = mirroring + "failover.";
  const json usb_id{{"pattern", "^((0[xX])?[0-9a-fA-F]{1,4})?$"}};
  const json nodes{{"maxItems", cluster::kMaxMembers}, {"x-kubernetes-list-type", "set"}};
  std::vector<Addition> additions{
      {"spec",
       Rules(json::array(
           {Rule("!has(self.mirroring) || !has(self.mirroring.targetNodes) || "
                 "size(self.mirroring.targetNodes) == 0 || " +
                     NodesNamed("self.mirroring") +
                     " <= (has(self.maxDevices) ? self.maxDevices : 10)",
                 "maxDevices: is less than the number of nodes; it is 10 where nothing is said"),
            Rule("!has(self.mirroring) || !has(self.mirroring.primaryNode) || "
                 "self.mirroring.primaryNode == '' || !has(self.mirroring.endpoints) || "
                 "size(self.mirroring.endpoints) == 0 || (has(self.mirroring.targetNodes) && "
                 "size(self.mirroring.targetNodes) > 0) || self.mirroring.primaryNode in "
                 "self.mirroring.endpoints",
                 "mirroring.primaryNode: is not one of the nodes of endpoints")}))},
      {"spec.maxDevices", {{"minimum", 1}}},
      {"spec.allowedNamespaces", {{"maxItems", kMaxNamespaces}}},
      {"spec.allowedNamespaces.[]",
       {{"maxLength", cluster::kMaxNamespaceBytes},
        {"pattern", R"(^([*]|[a-z0-9]([-a-z0-9]*[a-z0-9])?)$)"}}},
      {pkcs11 + "uri", UriRules(false)},
      {pkcs11 + "slotId", {{"minimum", 0}}},
      {pkcs11 + "tokenLabel", {{"maxLength", 32}}},
      {pkcs11 + "pinSecret", {{"required", {"name", "key"}}}},
      {"spec.pkcs11.pinSecret.name", NameOf(kName)},
      {"spec.pkcs11.pinSecret.key", {{"minLength", 1}}},
      {"spec.mirroring", Rules(MirroringRules())},
      {mirroring + "syncInterval", Seconds(1)},
      {mirroring + "verifyInterval", Seconds(1)},
      {mirroring + "minSyncMirrors", Within(0, cluster::kMaxMembers - 1)},
      {mirroring + "primaryNode", NameOf(kNameOrNone)},
      {mirroring + "targetNodes", nodes},
      {mirroring + "targetNodes.[]", NameOf(kName)},
      {mirroring + "standbyNodes", nodes},
      {mirroring + "standbyNodes.[]", NameOf(kName)},
      {mirroring + "policy", {{"default", "ReadOnly"}}},  // so that kubectl shows it
      {mirroring + "endpoints", {{"maxProperties", cluster::kMaxMembers}}},
      {mirroring + "endpoints.{}", UriRules(true)},
      {failover + "grantDuration",
       Within(cluster::kMinGrantDuration.count(), cluster::kMaxGrantDuration.count())},
      {failover + "delay", Seconds(0)},
      {failover + "minInterval", Seconds(0)},
      {failover + "unhealthyThreshold", {{"minimum", 1}}},
      {failover + "priorities", {{"maxProperties", cluster::kMaxMembers}}},
      {failover + "healthCheckInterval",
       {{"maxLength", 32},
        {kRules,
         json::array({Rule(R"(type(self) == int || self.matches('^([0-9.]+(ns|us|ms|s|m|h|d))+$'))",
                           "is neither a number of seconds nor a duration such as 500ms or 2s"),
                      Rule(R"(type(self) == int ? self >= 1 && self <= 31622400 : )"
                           R"(!self.matches('^([0-9.]+(ns|us|ms|s|m|h))+$') || )"
                           R"((duration(self) >= duration('100ms') && )"
                           R"(duration(self) <= duration('8784h')))",
                           "is not within 100ms to 31622400 seconds")})}}}};
  for (const char* field : {"vendorId", "productId"}) {
    additions.push_back({std::string("spec.usb.") + field, usb_id});
    additions.push_back({std::string("spec.discovery.usb.") + field, usb_id});
  }
  return additions;
}

std::vector<Addition> SecretAdditions() {
  return {{"spec.secretName", NameOf(kNameOrNone)},     {"spec.hsmPath", NameOf(kSecretNameOrNone)},
          {"spec.secretType", {{"minLength", 1}}},      {"spec.syncInterval", {{"minimum", 1}}},
          {"spec.deviceRef", {{"required", {"name"}}}}, {"spec.deviceRef.name", NameOf(kName)},
          {"spec.parentRef", {{"required", {"name"}}}}, {"spec.parentRef.name", NameOf(kName)}};
}

// All but cancel, and how long it stays. What is absent and what is empty are the same: whoever
// reads an operation and writes it again may leave out the one or the other.
std::string Unchanged() {
  std::string rule =
      "self.type == oldSelf.type && self.deviceRef.name == oldSelf.deviceRef.name && "
      "(has(self.deviceRef.__namespace__) ? self.deviceRef.__namespace__ : '') == "
      "(has(oldSelf.deviceRef.__namespace__) ? oldSelf.deviceRef.__namespace__ : '')";
  const auto add = [&rule](const char* field, const char* absent) {
    rule += fmt::format(
        " && (has(self.{0}) ? self.{0} : {1}) == (has(oldSelf.{0}) ? oldSelf.{0} : {1})", field,
        absent);
  };
  for (const char* field :
       {"targetNode", "expectedPrimary", "winner", "secret", "version", "reason"})
    add(field, "''");
  for (const char* field : {"full", "acceptLoss", "dryRun"}) add(field, "false");
  for (const char* field : {"until", "notBefore"}) add(field, "timestamp('1970-01-01T00:00:00Z')");
  return rule;
}

std::vector<Addition> OperationAdditions() {
  std::vector<Addition> additions{
      {"", {{"required", {"spec"}}}},
      {"spec",
       {{"required", {"type", "deviceRef"}},
        {kRules,
         json::array(
             {Rule(
                  "!has(self.dryRun) || !self.dryRun || !(self.type in ['Pause', 'Resume', 'Ack'])",
                  "dryRun: is not for a Pause, Resume or Ack"),
              Rule("self.type != 'Promote' || (has(self.targetNode) && self.targetNode != '') || "
                   "(has(self.winner) && self.winner != '')",
                   "targetNode: a Promote names whom it promotes"),
              Rule("self.type != 'Reinit' || (has(self.targetNode) && self.targetNode != '')",
                   "targetNode: a Reinit names the member that it wipes"),
              Rule("!has(self.acceptLoss) || !self.acceptLoss || self.type == 'Failover'",
                   "acceptLoss: is for a Failover alone"),
              Rule("self.type != 'Pause' || has(self.until)", "until: a Pause says when it ends"),
              Rule(Unchanged(),
                   "what is asked for stays as it was; cancel it (cancel: true), or "
                   "delete it, and ask anew")})}}},
      {"spec.deviceRef", {{"required", {"name"}}}},
      {"spec.deviceRef.name", NameOf(kName)},
      {"spec.version", {{"maxLength", cluster::kMaxVersionBytes}, {"pattern", "^[0-9a-f.]*$"}}},
      {"spec.reason", {{"maxLength", cluster::kMaxReasonBytes}}},
      {"spec.ttlSecondsAfterFinished", {{"minimum", 0}, {"maximum", 2147483647}}},
      // Also before a manager has looked.
      {"status", {{"default", {{"phase", "Pending"}}}}}};
  for (const char* field : {"targetNode", "expectedPrimary", "winner"})
    additions.push_back({std::string("spec.") + field, NameOf(kNameOrNone)});
  return additions;
}

}  // namespace

void AddRules(Kind kind, json& schema) {
  const auto additions = kind == Kind::kHsmDevice   ? DeviceAdditions()
                         : kind == Kind::kHsmSecret ? SecretAdditions()
                                                    : OperationAdditions();
  for (const Addition& addition : additions)
    SchemaAt(schema, addition.path).update(addition.keywords);
}

}  // namespace hsmops::kube
