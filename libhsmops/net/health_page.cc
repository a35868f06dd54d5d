#include "libhsmops/net/health_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "libhsmops/base/printable.h"

namespace hsmops::net {
namespace {

constexpr std::string_view kHealthPath = "/health";

nlohmann::ordered_json Describe(const HealthPart& part) {
  nlohmann::ordered_json json{{"status", part.ok ? "ok" : "failing"}};
  if (!part.message.empty()) json["message"] = base::Printable(part.message);
  return json;
}

Reply JsonReply(bool ok, const nlohmann::ordered_json& json) {
  Reply reply;
  reply.status = ok ? 200 : 503;
  reply.content_type = "application/json";
  reply.headers["Cache-Control"] = "no-store";
  reply.body.Append(base::AsBytes(json.dump(2) + "\n"));
  return reply;
}

Reply OnePart(const HealthPart& part) { return JsonReply(part.ok, Describe(part)); }

Reply Whole(const HealthReport& report) {
  const bool ok = std::all_of(report.parts.begin(), report.parts.end(),
                              [](const HealthPart& part) { return part.ok; });
  nlohmann::ordered_json json{{"status", ok ? "ok" : "failing"},
                              {"parts", nlohmann::ordered_json::object()}};
  for (const HealthPart& part : report.parts) json["parts"][part.name] = Describe(part);
  return JsonReply(ok, json);
}

}  // namespace

std::string_view PathOf(std::string_view target) { return target.substr(0, target.find('?')); }

Reply HealthPage(std::string_view path, const HealthReport& report) {
  if (path == "/livez") return OnePart(report.live);
  if (path == "/readyz") return OnePart(report.ready);
  if (path == "/primary" && report.primary) return OnePart(*report.primary);
  if (path == kHealthPath) return Whole(report);
  if (path.starts_with(kHealthPath) && path.substr(kHealthPath.size()).starts_with('/')) {
    const std::string_view name = path.substr(kHealthPath.size() + 1);
    for (const HealthPart& part : report.parts) {
      if (part.name == name) return OnePart(part);
    }
  }
  return PlainReply(404, fmt::format("no such page: there are /livez, /readyz, /health, {}/metrics",
                                     report.primary ? "/primary, " : ""));
}

}  // namespace hsmops::net
