#include "libhsmops/manager/adoption.h"

#include <fmt/format.h>

#include <bitset>
#include <map>
#include <set>

#include "libhsmops/base/printable.h"
#include "libhsmops/manager/findings.h"
#include "libhsmops/manager/writer.h"

namespace hsmops::manager {

using base::Error;
using base::ErrorCode;
using base::Result;

namespace {

constexpr base::Duration kCollectBudget = std::chrono::seconds(5);

// What each mirror has in the older layout.
using OlderNames = std::map<std::string, std::set<std::string>>;

// Every one of them is asked: a value that nobody could read would be superseded unseen.
Result<OlderNames> OlderOnMirrors(Pool& pool) {
  OlderNames held;
  for (const std::string& node : pool.Mirrors()) {
    HSM_TRY(const store::Inventory inventory,
            pool.At(node)
                .ReadInventory(std::bitset<store::kBuckets>())
                .Within("what " + node + " has in the older layout is unknown"));
    for (const store::LegacyItem& item : inventory.legacy) held[node].insert(item.name);
  }
  return held;
}

// The older operator wrote its copies itself, so a mirror may have the newer one. A person chooses:
// nothing here tells which it is. "": nobody has another.
Result<std::string> WhoHasAnother(Pool& pool, const OlderNames& held, const std::string& name,
                                  const store::Keys& keys) {
  for (const auto& [node, names] : held) {
    if (!names.contains(name)) continue;
    HSM_TRY(const store::Keys theirs, pool.At(node).ReadLegacy(name).Within(node));
    if (keys != theirs) return node;
  }
  return std::string();
}

// What is to be written; what cannot be taken is in the report.
Result<std::vector<store::Write>> PlanAdoption(Pool& pool, AdoptReport& report) {
  const std::string primary = pool.holder();
  HSM_TRY(const store::Inventory inventory,
          pool.At(primary).ReadInventory(std::bitset<store::kBuckets>()).Within(primary));
  HSM_TRY(const OlderNames held, OlderOnMirrors(pool));
  std::vector<store::Write> writes;
  for (const store::LegacyItem& item : inventory.legacy) {
    const auto name = store::SecretName::Parse(item.name);
    if (!item.reason.empty() || !name.ok()) {
      report.not_taken.push_back(fmt::format("{}: {}; {}", base::Printable(item.name),
                                             base::Printable(item.reason), WayOutOf(item)));
      continue;
    }
    HSM_TRY(store::Keys keys, pool.At(primary).ReadLegacy(item.name).Within(item.name));
    HSM_TRY(const std::string another, WhoHasAnother(pool, held, item.name, keys));
    if (!another.empty()) {
      report.not_taken.push_back(fmt::format(
          "{}: {} has another value of it; kubectl hsm put {} with the right one replaces both",
          item.name, another, item.name));
      continue;
    }
    report.foreseen.push_back(fmt::format("would take {} ({} keys)", item.name, item.keys.size()));
    // In the older layout a secret has no version; whatever was written since has one.
    writes.push_back(
        {*name, std::move(keys), false, false, pool.world().rng.Array<16>(), store::Expectation{}});
  }
  return writes;
}

}  // namespace

std::string AdoptReport::Sentence(bool dry_run) const {
  return dry_run ? fmt::format("would take over {} secrets, {} not; nothing was changed", taken,
                               not_taken.size())
                 : fmt::format("took over {} secrets, {} not taken", taken,
                               not_taken.size() + in_doubt.size());
}

Result<AdoptReport> Adopt(Pool& pool, bool dry_run, const mirror::Progress& progress) {
  const std::string primary = pool.holder();
  if (primary.empty())
    return Error(ErrorCode::kReadOnly,
                 "a promotion is unfinished; finish it first with promote or failover");
  AdoptReport report;
  HSM_TRY(std::vector<store::Write> writes, PlanAdoption(pool, report));
  if (dry_run) {
    report.taken = writes.size();
    return report;
  }
  report.foreseen.clear();
  if (writes.empty()) return report;
  HSM_TRY(Writer writer, Writer::Open(pool));
  for (const auto& result : writer.Write(std::move(writes), progress)) {
    if (result.ok()) {
      ++report.taken;
    } else {
      const bool unsure = result.Is(ErrorCode::kInDoubt);
      (unsure ? report.in_doubt : report.not_taken)
          .push_back(base::Printable(result.error().message()));
    }
  }
  // Verify begins a new view, and only what a new view shows is believed enough to destroy the old
  // objects.
  if (auto verified = pool.At(primary).Verify(); verified.ok())
    (void)pool.At(primary).Collect(kCollectBudget);
  return report;
}

}  // namespace hsmops::manager
