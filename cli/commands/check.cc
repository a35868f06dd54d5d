#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/commands/device_look.h"
#include "cli/commands/live_device.h"
#include "cli/commands/verbs.h"
#include "cli/exit_code.h"
#include "cli/printer.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/kube/json_fields.h"
#include "libhsmops/manager/announcement.h"
#include "libhsmops/manager/look.h"

namespace hsmops::cli {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;
using nlohmann::json;

struct CheckOptions {
  std::string purpose = "failover";
};

// A command gives the Primary a grant itself where no manager does and its certificate is a
// manager's. Why not, as a sentence; empty: it would.
Result<std::string> WhyNoGrant(Context& context, LocalCluster& cluster,
                               failover::Managers managers) {
  const std::string& ns = cluster.pool().device().metadata.ns;
  if (managers == failover::Managers::kLead)
    return std::string(
        "it has no grant; managers renew it while they reach it and the record of who may write");
  HSM_TRY(const auto replicas, manager::FindReplicas(cluster.resources(), context.clock(), ns));
  HSM_TRY(const Wire* wire, context.OpenWire());
  if (replicas.empty() && wire->identity().role == net::Role::kManager) return std::string();
  return std::string("its grant has run out and no manager leads: start kubectl hsm manager");
}

// Where managers say where they listen a write goes through one of them, whatever grant there is.
// Whether this certificate may write is not asked: it is the cluster's state that is.
Result<std::string> WhyNoAnswer(Context& context) {
  HSM_TRY(const auto live, OpenLive(context));
  if (!live) return std::string();
  const auto answer = live->Probe();
  if (answer.ok() || answer.Is(ErrorCode::kAuthFailed)) return std::string();
  return answer.error().message();
}

Result<manager::Check> CheckWrite(Context& context, LocalCluster& cluster,
                                  const failover::ClusterState& state) {
  std::string no_grant;
  const failover::MemberView* primary = state.Holder();
  if (primary != nullptr && primary->Healthy() && !state.TakesWrites()) {
    HSM_TRY(no_grant, WhyNoGrant(context, cluster, state.managers));
  }
  manager::Check check = manager::CheckWrite(cluster.pool(), state, no_grant);
  if (!check.possible) return check;
  HSM_TRY(std::string why, WhyNoAnswer(context));
  if (why.empty()) return check;
  check.possible = false;
  check.sentence = "no: " + why;
  check.candidates[0].reasons.push_back(std::move(why));
  return check;
}

// The device with what was found under status.check.
Result<json> LookHere(const CheckOptions& options, Context& context) {
  HSM_TRY(const auto cluster, context.OpenLook("check"));
  manager::Pool& pool = cluster->pool();
  const auto state = pool.ObserveAmidWrites();
  if (const auto why = WhyNobodyWasAsked(state)) return *why;
  const base::WallTime now = context.clock().Wall();
  Result<manager::Check> check =
      options.purpose == "write"
          ? CheckWrite(context, *cluster, state)
          : manager::CheckPromotion(pool, state, options.purpose == "promote", now);
  if (!check.ok()) return check.error();
  manager::ObeyEpoch(pool, state, *check);
  json document = manager::Look(pool, state, now).ToJson();
  document["status"]["check"] = manager::JsonOf(*check);
  return document;
}

// The same by a manager's eyes.
Result<json> LookThere(const CheckOptions& options, Context& context) {
  HSM_TRY(const auto live, OpenLive(context));
  HSM_TRY(auto api, OpenAggregated(context, live->device().metadata.ns));
  HSM_TRY(json document, api.Health(live->device().metadata.name));
  json& status = document["status"];
  for (const json& check : kube::ItemsIn(document, "/status/checks")) {
    if (kube::TextIn(check, "/for") == options.purpose) status["check"] = check;
  }
  if (!status.contains("check"))
    return Error(ErrorCode::kCorrupt,
                 fmt::format("the live API's answer holds no check for {}", options.purpose));
  status.erase("checks");
  return document;
}

void PrintCheck(Context& context, const json& check) {
  context.out() << fmt::format(
      "{}: {}\n", kube::TextIn(check, "/for"),
      context.WithCluster(base::Printable(kube::TextIn(check, "/message"))));
  Table table({"NODE", "ELIGIBLE", "REASONS"});
  for (const json& candidate : check.value("candidates", json::array()))
    table.Row({candidate.value("nodeName", ""), candidate.value("eligible", false) ? "yes" : "no",
               fmt::format(
                   "{}", fmt::join(candidate.value("reasons", std::vector<std::string>()), "; "))});
  table.Print(context.out(), false, !context.globals().no_headers);
}

int Run(const CheckOptions& options, Context& context) {
  if (options.purpose != "promote" && options.purpose != "failover" && options.purpose != "write") {
    return context.Fail(
        {ErrorCode::kInvalid, fmt::format("--for \"{}\" is not one of promote, failover, write",
                                          base::Printable(options.purpose))});
  }
  const auto document =
      context.OnKubernetes() ? LookThere(options, context) : LookHere(options, context);
  if (!document.ok()) return context.Fail(document.error());
  const json& check = document->at("status").at("check");
  const int printed = Print(context, *document, [&](bool) { PrintCheck(context, check); });
  return printed != kDone ? printed : kube::FlagIn(check, "/possible") ? kDone : kConditionNotMet;
}

}  // namespace

Verb CheckVerb() {
  return {"check",
          "Could it be done right now? Every candidate with its reasons; exit 3 when not",
          {},
          {"kubectl hsm check --for failover", "kubectl hsm check --for write"},
          false,
          [](Words& words) -> Runner {
            auto options = std::make_shared<CheckOptions>();
            words.Option("for", "WHAT", "promote, failover (by default) or write",
                         options->purpose);
            words.Takes("for", {"promote", "failover", "write"});
            return [options](Context& context) { return Run(*options, context); };
          }};
}

}  // namespace hsmops::cli
