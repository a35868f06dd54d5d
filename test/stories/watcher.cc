#include "test/stories/watcher.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "libhsmops/cluster/typed_store.h"

namespace hsmops::stories {

using cluster::ArbiterPhase;
using cluster::OperationPhase;

void Watcher::Look() {
  if (looked_at_ == cluster_.store_writes()) return;
  looked_at_ = cluster_.store_writes();
  LookAtOperations();
  LookAtStatus();
  LookAtRecord();
  LookAtEvents();
}

std::string Watcher::NodesOf(const std::set<std::string>& uids) const {
  std::vector<std::string> nodes;
  for (const auto& host : cluster_.agents()) {
    if (uids.contains(store::UidText(host->uid()))) nodes.push_back(host->node());
  }
  return nodes.empty() ? "nobody" : fmt::format("{}", fmt::join(nodes, ", "));
}

void Watcher::LookAtRecord() {
  const auto now = cluster_.Arbiter();
  if (!now || (record_ && record_->generation == now->generation && record_->epoch == now->epoch))
    return;
  const bool promoting = now->phase == ArbiterPhase::kPromoting;
  notebook_.Write(fmt::format(
      "R: epoch {}, {}, S: {}", cluster::Text(now->epoch),
      promoting ? fmt::format("no holder, target {}", NodesOf({now->target}))
                : "holder " + (now->holder ? now->holder->node_name : std::string("nobody")),
      NodesOf(promoting && now->previous ? now->previous->sync_set : now->sync_set)));
  const bool was_promoting = record_ && record_->phase == ArbiterPhase::kPromoting;
  const bool another = record_ && record_->epoch != now->epoch;
  record_ = now;
  if (promoting && another) step_("P2");
  if (!promoting && was_promoting) step_("P7");
}

void Watcher::LookAtOperations() {
  auto all = cluster::LoadAll<cluster::HSMOperation>(cluster_.shared(), sim::kNamespace);
  if (!all.ok()) return;
  for (cluster::HSMOperation& now : all->items) {
    const std::string& name = now.metadata.name;
    const auto [at, first] = operations_.try_emplace(name);
    const cluster::HSMOperationStatus& before = at->second.status;
    std::string step;
    if (now.status.phase == OperationPhase::kRunning && before.phase != OperationPhase::kRunning) {
      notebook_.Write(
          fmt::format("{} runs: {}{}", name, cluster::Name(*now.spec.type),
                      now.spec.target_node.empty() ? "" : " to " + now.spec.target_node));
      step = "P0";
    }
    for (std::size_t i = before.steps.size(); i < now.status.steps.size(); ++i) {
      notebook_.Write(
          fmt::format("{}: {}: {}", name, now.status.steps[i].name, now.status.steps[i].message));
      if (now.status.steps[i].name == "wait") step = "P4";
    }
    if (now.Finished() && before.phase != now.status.phase) {
      notebook_.Write(
          fmt::format("{} ends {}: {}", name, cluster::Name(now.status.phase), now.status.message));
    }
    at->second = std::move(now);
    if (!step.empty()) step_(step);
  }
}

void Watcher::LookAtEvents() {
  auto all = cluster::LoadAll<cluster::Event>(cluster_.shared(), sim::kNamespace);
  if (!all.ok()) return;
  for (const cluster::Event& event : all->items) {
    int& told = events_[event.metadata.name];
    if (told == event.Count()) continue;
    told = event.Count();
    notebook_.Write(fmt::format("Event {} {}{}: {}", cluster::Name(event.type), event.reason,
                                told > 1 ? fmt::format(" ({} times)", told) : "", event.note));
  }
}

void Watcher::LookAtStatus() {
  const auto device = cluster_.Device();
  if (!device) return;
  std::string now(cluster::Name(device->status.phase));
  if (now.empty()) now = "no phase";
  for (const cluster::Finding& finding : device->status.findings)
    now += fmt::format("{} {} of {}", now.find(':') == std::string::npos ? ":" : ",",
                       finding.reason, finding.subject);
  if (now != status_) notebook_.Write("status: " + now);
  status_ = now;
  const std::string promised =
      device->status.promotion ? device->status.promotion->epoch.nonce : "";
  const bool another = !promised.empty() && promised != promised_;
  promised_ = promised;
  if (another) step_("P1");
}

}  // namespace hsmops::stories
