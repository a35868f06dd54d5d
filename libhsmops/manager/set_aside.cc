#include "libhsmops/manager/set_aside.h"

#include <fmt/format.h>

#include <algorithm>
#include <bitset>
#include <tuple>

#include "libhsmops/base/failpoint.h"
#include "libhsmops/base/printable.h"

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
