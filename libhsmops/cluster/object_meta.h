// ObjectMeta, Condition, references: what every resource has, as Kubernetes defines it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libhsmops/base/clock.h"
#include "libhsmops/cluster/enum_names.h"
#include "libhsmops/cluster/kind.h"

namespace hsmops::cluster {

class FieldReader;
class FieldSchema;
class FieldWriter;

struct OwnerReference {
  std::string api_version;
  std::string kind;
  std::string name;
  std::string uid;
  bool controller = false;
  bool block_owner_deletion = false;
  bool operator==(const OwnerReference&) const = default;
};

struct ObjectMeta {
  std::string name;
  std::string ns = std::string(kDefaultNamespace);
  std::string uid;               // set by the store
  std::string resource_version;  // set by the store; opaque
  std::int64_t generation = 0;   // set by the store: counts changes of spec
  std::optional<base::WallTime> creation_timestamp;
  std::optional<base::WallTime> deletion_timestamp;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;
  std::vector<std::string> finalizers;
  std::vector<OwnerReference> owner_references;
  bool operator==(const ObjectMeta&) const = default;
};
// Reading checks name and namespace.
void Describe(FieldReader& fields, ObjectMeta& meta);
void Describe(FieldWriter& fields, ObjectMeta& meta);

// An object in another namespace, or in the same when `ns` is empty.
struct ObjectRef {
  std::string name;
  std::string ns;
  bool operator==(const ObjectRef&) const = default;
};
void Describe(FieldReader& fields, ObjectRef& ref);
void Describe(FieldWriter& fields, ObjectRef& ref);
void Describe(FieldSchema& fields, ObjectRef& ref);

enum class ConditionStatus : std::uint8_t { kUnknown, kTrue, kFalse };
std::span<const Named<ConditionStatus>> NamesOf(ConditionStatus);

// metav1.Condition.
struct Condition {
  std::string type;
  ConditionStatus status = ConditionStatus::kUnknown;
  std::string reason;
  std::string message;
  std::int64_t observed_generation = 0;
  std::optional<base::WallTime> last_transition_time;
  bool operator==(const Condition&) const = default;
};
void Describe(FieldReader& fields, Condition& condition);
void Describe(FieldWriter& fields, Condition& condition);
void Describe(FieldSchema& fields, Condition& condition);

// nullptr: there is none of that type.
const Condition* FindCondition(const std::vector<Condition>& conditions, std::string_view type);
// Replaces the condition of that type or appends it; last_transition_time becomes `now` only when
// the status changed, whatever `condition` says.
void SetCondition(std::vector<Condition>& conditions, Condition condition, base::WallTime now);

}  // namespace hsmops::cluster
