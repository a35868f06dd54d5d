#include "libhsmops/cluster/object_meta.h"

#include <algorithm>

#include "libhsmops/cluster/field_schema.h"
#include "libhsmops/cluster/fields.h"

namespace hsmops::cluster {
namespace {

constexpr Named<ConditionStatus> kConditionStatusNames[] = {{ConditionStatus::kTrue, "True"},
                                                            {ConditionStatus::kFalse, "False"},
                                                            {ConditionStatus::kUnknown, "Unknown"}};

template <typename Fields>
void DescribeMeta(Fields& fields, ObjectMeta& meta) {
  fields("name", meta.name);
  fields("namespace", meta.ns);
  fields("uid", meta.uid);
  fields("resourceVersion", meta.resource_version);
  if (Fields::kReading || meta.generation != 0) fields("generation", meta.generation);
  fields("creationTimestamp", meta.creation_timestamp);
  fields("deletionTimestamp", meta.deletion_timestamp);
  fields("labels", meta.labels);
  fields("annotations", meta.annotations);
  fields("finalizers", meta.finalizers);
  fields("ownerReferences", meta.owner_references);
}

template <typename Fields>
void DescribeCondition(Fields& fields, Condition& condition) {
  fields("type", condition.type);
  fields("status", condition.status);
  fields("reason", condition.reason);
  fields("message", condition.message);
  fields("observedGeneration", condition.observed_generation);
  fields("lastTransitionTime", condition.last_transition_time);
}

}  // namespace

template <typename Fields>
void Describe(Fields& fields, OwnerReference& owner) {
  fields("apiVersion", owner.api_version);
  fields("kind", owner.kind);
  fields("name", owner.name);
  fields("uid", owner.uid);
  fields("controller", owner.controller);
  fields("blockOwnerDeletion", owner.block_owner_deletion);
}

void Describe(FieldReader& fields, ObjectMeta& meta) {
  DescribeMeta(fields, meta);
  if (meta.ns.empty()) meta.ns = kDefaultNamespace;
  if (const auto fits = CheckName(meta.name); !fits.ok()) {
    fields.problems().Add(fields.PathOf("name"), fits.error().message());
  }
  if (const auto fits = CheckNamespace(meta.ns); !fits.ok()) {
    fields.problems().Add(fields.PathOf("namespace"), fits.error().message());
  }
}

void Describe(FieldWriter& fields, ObjectMeta& meta) { DescribeMeta(fields, meta); }

void Describe(FieldReader& fields, ObjectRef& ref) {
  fields("name", ref.name);
  fields("namespace", ref.ns);
  if (const auto fits = CheckName(ref.name); !fits.ok()) {
    fields.problems().Add(fields.PathOf("name"), fits.error().message());
  }
  if (ref.ns.empty()) return;
  if (const auto fits = CheckNamespace(ref.ns); !fits.ok()) {
    fields.problems().Add(fields.PathOf("namespace"), fits.error().message());
  }
}

void Describe(FieldWriter& fields, ObjectRef& ref) {
  fields("name", ref.name);
  fields("namespace", ref.ns);
}

void Describe(FieldSchema& fields, ObjectRef& ref) {
  fields("name", ref.name);
  fields("namespace", ref.ns);
}

std::span<const Named<ConditionStatus>> NamesOf(ConditionStatus) { return kConditionStatusNames; }

void Describe(FieldReader& fields, Condition& condition) { DescribeCondition(fields, condition); }

void Describe(FieldWriter& fields, Condition& condition) { DescribeCondition(fields, condition); }

void Describe(FieldSchema& fields, Condition& condition) { DescribeCondition(fields, condition); }

const Condition* FindCondition(const std::vector<Condition>& conditions, std::string_view type) {
  const auto found = std::ranges::find(conditions, type, &Condition::type);
  return found == conditions.end() ? nullptr : &*found;
}

void SetCondition(std::vector<Condition>& conditions, Condition condition, base::WallTime now) {
  const auto found = std::ranges::find(conditions, condition.type, &Condition::type);
  if (found == conditions.end()) {
    condition.last_transition_time = now;
    conditions.push_back(std::move(condition));
    return;
  }
  condition.last_transition_time =
      found->status == condition.status ? found->last_transition_time : now;
  *found = std::move(condition);
}

}  // namespace hsmops::cluster
