#include <fmt/format.h>

#include <bitset>
#include <map>
#include <memory>
#include <ostream>
#include <set>

#include "cli/commands/operation_output.h"
#include "cli/commands/verbs.h"
#include "cli/exit_code.h"
#include "cli/printer.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/manager/report.h"
#include "libhsmops/manager/writer.h"

namespace hsmops::cli {
namespace {

struct AdoptWords {
  std::string device;
  bool dry_run = false;
};

constexpr base::Duration kCollectBudget = std::chrono::seconds(5);

// What each mirror has in the older layout.
using Legacy = std::map<std::string, std::set<std::string>>;

// Every one of them is asked: a value that nobody could read would be superseded unseen.
base::Result<Legacy> LegacyOnMirrors(manager::Pool& pool) {
  Legacy held;
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
base::Result<std::string> WhoHasAnother(manager::Pool& pool, const Legacy& held,
                                        const std::string& name, const store::Keys& keys) {
  for (const auto& [node, names] : held) {
    if (!names.contains(name)) continue;
    HSM_TRY(const store::Keys theirs, pool.At(node).ReadLegacy(name).Within(node));
    if (keys != theirs) return node;
  }
  return std::string();
}

int Run(const AdoptWords& words, Context& context) {
  auto cluster = context.OpenCluster("adopt", words.device);
  if (!cluster.ok()) return context.Fail(cluster.error());
  manager::Pool& pool = (*cluster)->pool();
  const std::string primary = pool.holder();
  if (primary.empty())
    return context.Fail({base::ErrorCode::kReadOnly,
                         "a promotion is unfinished; finish it first with promote or failover"});
  const auto inventory = pool.At(primary).ReadInventory(std::bitset<store::kBuckets>());
  if (!inventory.ok()) return context.Fail(inventory.error().Within(primary));
  const auto held = LegacyOnMirrors(pool);
  if (!held.ok()) return context.Fail(held.error());
  std::size_t refused = 0;
  std::vector<store::Write> writes;
  std::vector<std::string> foreseen;
  for (const store::LegacyItem& item : inventory->legacy) {
    const auto name = store::SecretName::Parse(item.name);
    if (!item.reason.empty() || !name.ok()) {
      ++refused;
      context.err() << context.WithCluster(
          fmt::format("not taken: {}: {}; {}\n", base::Printable(item.name),
                      base::Printable(item.reason), manager::WayOutOf(item)));
      continue;
    }
    auto keys = pool.At(primary).ReadLegacy(item.name);
    if (!keys.ok()) return context.Fail(keys.error().Within(item.name));
    const auto another = WhoHasAnother(pool, *held, item.name, *keys);
    if (!another.ok()) return context.Fail(another.error());
    if (!another->empty()) {
      ++refused;
      context.err() << context.WithCluster(fmt::format(
          "not taken: {}: {} has another value of it; kubectl hsm put {} with the right "
          "one replaces both\n",
          item.name, *another, item.name));
      continue;
    }
    if (words.dry_run) {
      foreseen.push_back(fmt::format("would take {} ({} keys)", item.name, item.keys.size()));
      continue;
    }
    writes.push_back({*name, *std::move(keys), false, false, context.rng().Array<16>(), {}});
  }
  cluster::HSMOperationSpec spec;
  spec.type = cluster::OperationType::kAdopt;
  if (words.dry_run) {
    return PrintDryRun(context, pool, std::move(spec), foreseen,
                       fmt::format("would take over {} secrets, {} not; nothing was changed",
                                   foreseen.size(), refused),
                       refused == 0 ? kDone : kPartial);
  }
  auto log = manager::OperationLog::Begin(pool, spec);
  if (!log.ok()) return context.Fail(log.error());
  std::size_t taken = 0;
  bool in_doubt = false;
  if (!writes.empty()) {
    auto writer = manager::Writer::Open(pool);
    if (!writer.ok()) return FailOperation(context, *log, writer.error());
    for (const auto& result : writer->Write(std::move(writes), nullptr)) {
      if (result.ok()) {
        ++taken;
      } else {
        ++refused;
        const bool unsure = result.Is(base::ErrorCode::kInDoubt);
        in_doubt = in_doubt || unsure;
        context.err() << (unsure ? "in doubt: " : "not taken: ")
                      << base::Printable(result.error().message()) << "\n";
      }
    }
    // Verify begins a new view, and only what a new view shows is believed enough to destroy the
    // old objects.
    if (auto verified = pool.At(primary).Verify(); verified.ok())
      (void)pool.At(primary).Collect(kCollectBudget);
  }
  const std::string sentence = fmt::format("took over {} secrets, {} not taken", taken, refused);
  return FinishOperation(
      context, *log,
      refused == 0 ? cluster::OperationPhase::kSucceeded : cluster::OperationPhase::kPartial,
      sentence,
      in_doubt       ? kAccepted
      : refused == 0 ? kDone
                     : kPartial);
}

}  // namespace

Verb AdoptVerb() {
  return {"adopt",
          "Take over the secrets of a token written in the older operator's layout, in place",
          {},
          {"kubectl hsm adopt --dry-run", "kubectl hsm adopt"},
          true,
          [](Words& words) -> Runner {
            auto options = std::make_shared<AdoptWords>();
            words.Argument("DEVICE", "the device; by default the only one", options->device, false);
            words.Flag("dry-run", "say what would be taken", options->dry_run);
            return [options](Context& context) { return Run(*options, context); };
          }};
}

}  // namespace hsmops::cli
