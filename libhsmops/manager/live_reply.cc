#include "libhsmops/manager/live_reply.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "libhsmops/base/printable.h"
#include "libhsmops/kube/json_fields.h"
#include "libhsmops/manager/mirrored_secret.h"

namespace hsmops::manager {

using base::ErrorCode;
using nlohmann::json;

namespace {

constexpr std::chrono::seconds kRetryAfter{1};
constexpr std::size_t kMaxWarning = 1000;

struct HttpCode {
  int status;
  std::string_view reason;
};

HttpCode HttpCodeOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNotFound:
      return {404, "NotFound"};
    case ErrorCode::kConflict:
      return {409, "Conflict"};
    case ErrorCode::kInvalid:
      return {400, "BadRequest"};
    case ErrorCode::kLimit:
      return {413, "RequestEntityTooLarge"};
    case ErrorCode::kAuthFailed:
      return {403, "Forbidden"};
    case ErrorCode::kInDoubt:
      return {504, "Timeout"};
    case ErrorCode::kUnavailable:
    case ErrorCode::kReadOnly:
    case ErrorCode::kStaleEpoch:
      return {503, "ServiceUnavailable"};
    case ErrorCode::kCorrupt:
    case ErrorCode::kInternal:
      break;
  }
  return {500, "InternalError"};
}

std::string GroupVersion() { return fmt::format("{}/{}", kLiveGroup, kLiveVersion); }

json FailureOf(int code, std::string_view reason, const std::string& message) {
  return {{"apiVersion", "v1"},
          {"kind", "Status"},
          {"metadata", json::object()},
          {"status", "Failure"},
          {"message", base::Printable(message)},
          {"reason", reason},
          {"code", code}};
}

std::string LiveKind(const std::string& resource) {
  return resource == "devicehealths" ? "DeviceHealth" : "MirroredSecret";
}

// One column of a table: its name, for how narrow a screen, and where in an object its cell is.
struct Column {
  const char* name;
  const char* type;
  int priority;
  std::string (*cell)(const json& object);
};

std::string CellAt(const json& object, const char* pointer) {
  const json::json_pointer at(pointer);
  if (!object.contains(at)) return "";
  const json& field = object.at(at);
  return field.is_string() ? field.get<std::string>() : field.dump();
}

std::string KeysCell(const json& object) {
  std::string text;
  for (const json& key : kube::ItemsIn(object, "/spec/keys"))
    text += (text.empty() ? "" : ",") + CellAt(key, "");
  return text;
}

// "7.142" of "7.142.00c0ffee00c0ffee".
std::string VersionCell(const json& object) {
  const std::string full = CellAt(object, "/status/version");
  return full.substr(0, full.rfind('.'));
}

std::string HoldersCell(const json& object) {
  std::string text;
  for (const json& member : kube::ItemsIn(object, "/status/devices"))
    text += fmt::format("{}{}={}", text.empty() ? "" : ",", CellAt(member, "/nodeName"),
                        CellAt(member, "/state"));
  return text;
}

std::string FindingsCell(const json& object) {
  std::string text;
  for (const json& finding : kube::ItemsIn(object, "/status/findings"))
    text += (text.empty() ? "" : ",") + CellAt(finding, "/reason");
  return text;
}

template <const char* kPointer>
std::string Field(const json& object) {
  return CellAt(object, kPointer);
}

constexpr char kName[] = "/metadata/name";
constexpr char kCoverage[] = "/status/coverage";
constexpr char kLastSync[] = "/status/lastSyncTime";
constexpr char kPhase[] = "/status/phase";
constexpr char kPrimary[] = "/status/primaryNode";
constexpr char kEpoch[] = "/status/epoch/counter";

constexpr Column kSecretColumns[] = {
    {"Name", "string", 0, Field<kName>},          {"Keys", "string", 0, KeysCell},
    {"Version", "string", 0, VersionCell},        {"Coverage", "string", 0, Field<kCoverage>},
    {"Last Sync", "string", 0, Field<kLastSync>}, {"Members", "string", 1, HoldersCell}};
constexpr Column kHealthColumns[] = {{"Name", "string", 0, Field<kName>},
                                     {"Phase", "string", 0, Field<kPhase>},
                                     {"Primary", "string", 0, Field<kPrimary>},
                                     {"Findings", "string", 0, FindingsCell},
                                     {"Epoch", "string", 1, Field<kEpoch>}};

json CellsOf(std::span<const Column> columns, const std::vector<json>& items) {
  json table{{"apiVersion", "meta.k8s.io/v1"},
             {"kind", "Table"},
             {"metadata", json::object()},
             {"columnDefinitions", json::array()},
             {"rows", json::array()}};
  for (const Column& column : columns) {
    table["columnDefinitions"].push_back(
        {{"name", column.name},
         {"type", column.type},
         {"format", column.name == std::string("Name") ? "name" : ""},
         {"description", column.name},
         {"priority", column.priority}});
  }
  for (const json& item : items) {
    json cells = json::array();
    for (const Column& column : columns) cells.push_back(column.cell(item));
    json shown{{"apiVersion", "meta.k8s.io/v1"},
               {"kind", "PartialObjectMetadata"},
               {"metadata", item.at("metadata")}};
    table["rows"].push_back({{"cells", std::move(cells)}, {"object", std::move(shown)}});
  }
  return table;
}

json ApiResource(const std::string& name, const std::string& kind, std::vector<std::string> verbs,
                 std::vector<std::string> short_names = {}) {
  json resource{{"name", name},
                {"singularName", ""},
                {"namespaced", true},
                {"kind", kind},
                {"verbs", std::move(verbs)}};
  if (!short_names.empty()) resource["shortNames"] = std::move(short_names);
  return resource;
}

json ApiGroup() {
  const json version{{"groupVersion", GroupVersion()}, {"version", kLiveVersion}};
  return {{"name", kLiveGroup}, {"versions", {version}}, {"preferredVersion", version}};
}

}  // namespace

net::Reply JsonReply(int status, const json& document) {
  net::Reply reply;
  reply.status = status;
  reply.content_type = "application/json";
  reply.body =
      base::SecretBytes::FromText(document.dump(-1, ' ', false, json::error_handler_t::replace));
  return reply;
}

net::Reply StatusReply(const base::Error& error, const LivePath& path) {
  const HttpCode code = HttpCodeOf(error.code());
  json status = FailureOf(code.status, code.reason, error.message());
  json& details = status["details"];
  details = {{"group", kLiveGroup}, {"kind", path.resource}};
  if (error.code() == ErrorCode::kNotFound) details["name"] = base::Printable(path.name);
  details["causes"] = {{{"reason", base::Name(error.code())}}};
  net::Reply reply = JsonReply(code.status, status);
  if (code.status == 503) reply.retry_after = kRetryAfter;
  return reply;
}

net::Reply StatusReply(int code, std::string_view reason, const std::string& message) {
  return JsonReply(code, FailureOf(code, reason, message));
}

bool WantsTable(std::string_view accept) {
  for (std::size_t at = 0; at <= accept.size();) {
    const std::size_t end = std::min(accept.find(',', at), accept.size());
    std::string one(accept.substr(at, end - at));
    std::erase(one, ' ');
    const auto says = [&](const char* parameter) {
      return (one + ";").find(fmt::format(";{};", parameter)) != std::string::npos;
    };
    if (says("as=Table") && says("v=v1") && says("g=meta.k8s.io")) return true;
    // What comes first is wanted most.
    if (one == "application/json" || one == "*/*") return false;
    at = end + 1;
  }
  return false;
}

net::Reply ObjectsReply(const LivePath& path, bool table, std::vector<json> items) {
  if (table) {
    return JsonReply(200, path.resource == "devicehealths" ? CellsOf(kHealthColumns, items)
                                                           : CellsOf(kSecretColumns, items));
  }
  if (!path.name.empty()) return JsonReply(200, items.front());
  return JsonReply(200, {{"apiVersion", GroupVersion()},
                         {"kind", LiveKind(path.resource) + "List"},
                         {"metadata", json::object()},
                         {"items", std::move(items)}});
}

net::Reply DiscoveryReply(LivePath::What what) {
  if (what == LivePath::What::kGroups)
    return JsonReply(200,
                     {{"kind", "APIGroupList"}, {"apiVersion", "v1"}, {"groups", {ApiGroup()}}});
  if (what == LivePath::What::kGroup) {
    json group = ApiGroup();
    group["kind"] = "APIGroup";
    group["apiVersion"] = "v1";
    return JsonReply(200, group);
  }
  return JsonReply(
      200, {{"kind", "APIResourceList"},
            {"apiVersion", "v1"},
            {"groupVersion", GroupVersion()},
            {"resources",
             {ApiResource("mirroredsecrets", "MirroredSecret", {"get", "list"}, {"msec"}),
              ApiResource("mirroredsecrets/value", "MirroredSecret", {"delete", "get", "update"}),
              ApiResource("devicehealths", "DeviceHealth", {"get", "list"}),
              ApiResource("devicehealths/diff", "DeviceHealth", {"get"}),
              ApiResource("devicehealths/divergence", "DeviceHealth", {"get"})}}});
}

std::string WarningHeader(const std::vector<std::string>& warnings) {
  std::string header;
  for (const std::string& warning : warnings) {
    std::string quoted;
    for (const char c : base::Printable(warning).substr(0, kMaxWarning)) {
      if (c == '"' || c == '\\') quoted += '\\';
      quoted += c;
    }
    header += fmt::format("{}299 - \"{}\"", header.empty() ? "" : ", ", quoted);
  }
  return header;
}

}  // namespace hsmops::manager
