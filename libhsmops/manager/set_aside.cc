#include "libhsmops/manager/set_aside.h"

#include <fmt/format.h>

#include <algorithm>
#include <bitset>
#include <nlohmann/json.hpp>
#include <tuple>

#include "libhsmops/base/failpoint.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/kube/json_fields.h"
#include "libhsmops/manager/delivery_plan.h"

namespace hsmops::manager {

using base::Error;
using base::ErrorCode;
using base::Result;

Result<SetAsideSearch> FindSetAside(Pool& pool, const SetAsideFilter& filter) {
  if (!filter.node.empty() && !pool.Has(filter.node))
    return Error(ErrorCode::kNotFound,
                 fmt::format("node {} is not a member", base::Printable(filter.node)));
  SetAsideSearch search;
  for (const std::string& node : pool.nodes()) {
    if (!filter.node.empty() && node != filter.node) continue;
    const auto inventory = pool.At(node).ReadInventory(std::bitset<store::kBuckets>());
    if (!inventory.ok()) {
      search.unknown.emplace_back(node, inventory.error());
      continue;
    }
    for (const store::QuarantineItem& item : inventory->quarantine) {
      const bool wanted = (filter.name.empty() || item.name == filter.name) &&
                          (filter.version.empty() || item.version.ToString() == filter.version ||
                           item.version.Full() == filter.version);
      if (wanted) search.found.push_back({node, item});
    }
  }
  std::stable_sort(search.found.begin(), search.found.end(),
                   [](const SetAside& a, const SetAside& b) {
                     return std::tie(a.item.name, a.node, a.item.version) <
                            std::tie(b.item.name, b.node, b.item.version);
                   });
  return search;
}

Result<SetAside> OneSetAside(const SetAsideSearch& search, const SetAsideFilter& filter) {
  const std::string name = base::Printable(filter.name);
  if (filter.name.empty())
    return Error(ErrorCode::kInvalid, "name the secret; divergence list shows them");
  if (search.found.empty() && !search.unknown.empty()) {
    return Error(ErrorCode::kUnavailable,
                 fmt::format("nothing of {} is in quarantine on the members that answered; {} did "
                             "not",
                             name, search.unknown.front().first));
  }
  if (search.found.empty())
    return Error(ErrorCode::kNotFound, fmt::format("nothing of {} is in quarantine", name));
  if (search.found.size() > 1)
    return Error(ErrorCode::kInvalid,
                 fmt::format("{} versions of {} are in quarantine: add --node and --version",
                             search.found.size(), name));
  return search.found.front();
}

nlohmann::json QuarantinedSecretOf(const SetAside& aside) {
  const std::string name = base::Printable(aside.item.name);
  return {{"apiVersion", "live.hsm.j5t.io/v1alpha1"},
          {"kind", "QuarantinedSecret"},
          {"metadata", {{"name", name}}},
          {"name", name},
          {"nodeName", aside.node},
          {"version", aside.item.version.Full()},
          {"deleted", aside.item.tombstone},
          {"keys", aside.item.keys},
          {"writtenAt", base::FormatTime(aside.item.written_at)}};
}

nlohmann::json ListOf(const SetAsideSearch& search) {
  nlohmann::json list{{"apiVersion", "v1"},
                      {"kind", "List"},
                      {"metadata", nlohmann::json::object()},
                      {"items", nlohmann::json::array()}};
  for (const SetAside& aside : search.found) list["items"].push_back(QuarantinedSecretOf(aside));
  for (const auto& [node, error] : search.unknown)
    list["metadata"]["unknown"][node] = base::Printable(error.message());
  return list;
}

Result<SetAsideSearch> ParseSetAside(const nlohmann::json& list) {
  SetAsideSearch search;
  for (const nlohmann::json& item : kube::ItemsIn(list, "/items")) {
    SetAside aside;
    aside.node = kube::TextAt(item, "nodeName");
    aside.item.name = kube::TextAt(item, "name");
    const auto version = ParseFullVersion(kube::TextAt(item, "version"));
    const auto written = base::ParseTime(kube::TextAt(item, "writtenAt"));
    if (aside.node.empty() || !version || !written.ok())
      return Error(ErrorCode::kCorrupt, "a version in quarantine without node, version or time");
    aside.item.version = *version;
    aside.item.written_at = *written;
    aside.item.tombstone = kube::FlagIn(item, "/deleted");
    for (const nlohmann::json& key : kube::ItemsIn(item, "/keys"))
      aside.item.keys.push_back(kube::TextIn(key, ""));
    search.found.push_back(std::move(aside));
  }
  const nlohmann::json unknown = kube::ObjectAt(kube::ObjectAt(list, "metadata"), "unknown");
  for (const auto& [node, why] : unknown.items())
    search.unknown.emplace_back(node, Error(ErrorCode::kUnavailable, kube::TextIn(why, "")));
  return search;
}

namespace {

// A discard is not repeated by itself, and what is gone is in no list.
Error Unsettled(const Error& error) {
  return {ErrorCode::kInDoubt,
          error.message() + "; kubectl hsm divergence list shows whether it is still there"};
}

std::string WhatOf(const SetAside& one) {
  return fmt::format("version {} of {} on {}", one.item.version.ToString(),
                     base::Printable(one.item.name), one.node);
}

}  // namespace

Result<std::string> DiscardSetAside(Pool& pool, const SetAsideFilter& filter,
                                    const std::string& begun, const StepNote& note) {
  HSM_TRY(SetAsideSearch search, FindSetAside(pool, filter));
  if (!begun.empty()) {
    // The very one that was begun with, whatever has been set aside since.
    std::erase_if(search.found, [&](const SetAside& other) { return WhatOf(other) != begun; });
    if (search.found.empty() && search.unknown.empty()) return "discarded " + begun;
    if (search.found.empty()) return Unsettled(search.unknown.front().second);
  }
  const auto one = OneSetAside(search, filter);
  if (!one.ok()) return one.error();
  const std::string what = WhatOf(*one);
  note(kDiscardStep, what);
  auto discarded = pool.At(one->node).DiscardQuarantined({one->item.id, one->item.version});
  base::Failpoint("after-discard");
  if (discarded.Is(ErrorCode::kInDoubt)) return Unsettled(discarded.error());
  if (!discarded.ok()) return discarded.error();
  return "discarded " + what;
}

}  // namespace hsmops::manager
