#include "libhsmops/kube/crds.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "libhsmops/base/check.h"
#include "libhsmops/cluster/resources.h"
#include "libhsmops/kube/crd_descriptions.h"
#include "libhsmops/kube/crd_rules.h"

namespace hsmops::kube {

using cluster::Kind;
using nlohmann::json;

namespace {

struct Column {
  const char* name;
  const char* type;
  const char* path;
  int priority = 0;  // above 0: with -o wide
};

struct Definition {
  const char* short_name;
  const char* what;
  json schema;
  std::vector<Column> columns;
};

Definition DefinitionOf(Kind kind) {
  switch (kind) {
    case Kind::kHsmDevice:
      return {"hsmdev",
              "One mirrored group: the same secrets on several nodes' tokens",
              cluster::HSMDevice::Schema(),
              {{"Phase", "string", ".status.phase"},
               {"Primary", "string", ".status.primaryNode"},
               {"Tolerates", "integer", ".status.failureTolerance"},
               {"Secrets", "integer", ".status.secrets.total"},
               {"Epoch", "integer", ".status.epoch.counter", 1},
               {"Policy", "string", ".spec.mirroring.policy", 1},
               {"Failovers", "integer", ".status.mirroring.failoverCount", 1},
               {"Last-Sync", "date", ".status.mirroring.lastSyncTime", 1},
               {"Age", "date", ".metadata.creationTimestamp"}}};
    case Kind::kHsmSecret:
      return {"hsmsec",
              "Asks for a Kubernetes Secret with the keys of a secret on an HSMDevice",
              cluster::HSMSecret::Schema(),
              {{"Status", "string", ".status.syncStatus"},
               {"Secret", "string", ".status.secretRef.name"},
               {"Last-Sync", "date", ".status.lastSyncTime"},
               {"From", "string", ".status.servedFrom", 1},
               {"Version", "string", ".status.version", 1},
               {"Age", "date", ".metadata.creationTimestamp"}}};
    default:
      HSM_CHECK(kind == Kind::kHsmOperation);
      return {"hsmop",
              "One thing asked for (a promotion, a sync, …), and how it ended",
              cluster::HSMOperation::Schema(),
              {{"Type", "string", ".spec.type"},
               {"Device", "string", ".spec.deviceRef.name"},
               {"Phase", "string", ".status.phase"},
               {"Result", "string", ".status.result"},
               {"Message", "string", ".status.message", 1},
               {"Age", "date", ".metadata.creationTimestamp"}}};
  }
}

json ColumnsOf(const Definition& definition) {
  json columns = json::array();
  for (const Column& column : definition.columns) {
    json one{{"name", column.name}, {"type", column.type}, {"jsonPath", column.path}};
    if (column.priority > 0) one["priority"] = column.priority;
    columns.push_back(std::move(one));
  }
  return columns;
}

json VersionOf(Kind kind, const Definition& definition) {
  json schema = definition.schema;
  AddRules(kind, schema);
  AddDescriptions(kind, schema);
  schema["description"] = definition.what;
  schema["properties"]["apiVersion"] = {{"type", "string"}};
  schema["properties"]["kind"] = {{"type", "string"}};
  schema["properties"]["metadata"] = {{"type", "object"}};
  return {{"name", "v1alpha1"},
          {"served", true},
          {"storage", true},
          {"subresources", {{"status", json::object()}}},
          {"additionalPrinterColumns", ColumnsOf(definition)},
          {"schema", {{"openAPIV3Schema", std::move(schema)}}}};
}

}  // namespace

json CustomResourceDefinition(Kind kind) {
  const Definition definition = DefinitionOf(kind);
  const std::string group(cluster::kGroupVersion.substr(0, cluster::kGroupVersion.find('/')));
  const std::string plural(cluster::Plural(kind));
  const std::string name(cluster::Name(kind));
  std::string singular = plural;
  singular.pop_back();
  return {{"apiVersion", "apiextensions.k8s.io/v1"},
          {"kind", "CustomResourceDefinition"},
          {"metadata", {{"name", fmt::format("{}.{}", plural, group)}}},
          {"spec",
           {{"group", group},
            {"scope", "Namespaced"},
            {"names",
             {{"kind", name},
              {"listKind", name + "List"},
              {"plural", plural},
              {"singular", singular},
              {"shortNames", {definition.short_name}}}},
            {"versions", {VersionOf(kind, definition)}}}}};
}

}  // namespace hsmops::kube
