#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/commands/handover.h"
#include "cli/commands/verbs.h"
#include "cli/exit_code.h"
#include "cli/printer.h"
#include "cli/process_log.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/cluster/typed_store.h"

namespace hsmops::cli {
namespace {

using base::Error;
using base::ErrorCode;
using cluster::HSMOperation;

constexpr std::chrono::milliseconds kSignalLook{200};

struct OperationWords {
  std::string action;
  std::string id;
};

// One that waits for its time says when that is.
std::string StartOf(const HSMOperation& operation, base::WallTime now) {
  if (!operation.status.started_at && !operation.Finished() && operation.spec.not_before)
    return "at " + base::FormatTime(*operation.spec.not_before);
  if (!operation.status.started_at) return "-";
  return Age(operation.status.started_at, now);
}

int List(Context& context, cluster::ResourceStore& resources) {
  const std::string& device = context.globals().device;
  if (!device.empty()) {
    const auto there = cluster::Load<cluster::HSMDevice>(resources, context.ns(), device);
    if (!there.ok()) return context.Fail(there.error());
  }
  auto all = cluster::LoadAll<HSMOperation>(resources, context.ns());
  if (!all.ok()) return context.Fail(all.error());
  std::erase_if(all->items, [&](const HSMOperation& o) {
    return !device.empty() && o.spec.device_ref.name != device;
  });
  for (const Error& refused : all->refused) context.Warn(refused.message());
  std::stable_sort(all->items.begin(), all->items.end(),
                   [](const HSMOperation& a, const HSMOperation& b) {
                     return a.metadata.creation_timestamp < b.metadata.creation_timestamp;
                   });
  std::vector<nlohmann::json> items;
  for (const HSMOperation& operation : all->items) items.push_back(operation.ToJson());
  return Print(context, ListOf(std::move(items)), [&](bool wide) {
    Table table({"ID", "TYPE", "DEVICE", "PHASE", "STARTED", "RESULT", "TARGET", "MESSAGE"}, 6);
    for (const HSMOperation& o : all->items) {
      table.Row({o.metadata.name, std::string(o.spec.type ? cluster::Name(*o.spec.type) : ""),
                 o.spec.device_ref.name, PhaseOf(o), StartOf(o, context.clock().Wall()),
                 o.status.result, o.spec.target_node, o.status.message});
    }
    if (table.empty()) {
      context.err() << "no operations\n";
    } else {
      table.Print(context.out(), wide, !context.globals().no_headers);
    }
  });
}

// Until it has finished, --timeout or Ctrl-C: woken by changes of the folder. The exit code is that
// of the operation, as who asked for it would have had it.
int Wait(Context& context, cluster::ResourceStore& resources, const std::string& id) {
  const auto timeout = context.Timeout();
  if (!timeout.ok()) return context.Fail(timeout.error());
  const base::TimePoint deadline = context.clock().Now() + *timeout;
  auto watch = resources.OpenWatch(cluster::Kind::kHsmOperation, context.ns(), "");
  if (!watch.ok()) return context.Fail(watch.error());
  const StopSignal stop;
  for (;;) {
    auto operation = cluster::Load<HSMOperation>(resources, context.ns(), id);
    if (!operation.ok()) return context.Fail(operation.error());
    if (operation->Finished()) {
      const int printed = Print(context, operation->ToJson(), [&](bool) {
        context.out() << fmt::format("{} {}: {}\n", id, PhaseOf(*operation),
                                     base::Printable(operation->status.message));
      });
      return printed != kDone ? printed : CodeOf(*operation);
    }
    if (stop.asked()) {
      context.err() << fmt::format("detached: {} is {}\n", id, HowFar(*operation));
      return kInterrupted;
    }
    if (context.clock().Now() >= deadline) {
      const std::string& why = operation->status.message;
      context.err() << fmt::format("{}: {}{}\n", HowFar(*operation), id,
                                   why.empty() ? "" : "; " + base::Printable(why));
      return kAccepted;
    }
    auto change = (*watch)->Next(std::min(deadline, context.clock().Now() + kSignalLook));
    if (!change.ok()) return context.Fail(change.error());
  }
}

int Cancel(Context& context, cluster::ResourceStore& resources, const std::string& id) {
  auto operation = cluster::Load<HSMOperation>(resources, context.ns(), id);
  if (!operation.ok()) return context.Fail(operation.error());
  if (operation->Finished())
    return context.Fail(
        Error(ErrorCode::kReadOnly, fmt::format("{} has finished: {}", id, PhaseOf(*operation))));
  operation->spec.cancel = true;
  if (auto saved = cluster::Save(resources, *operation); !saved.ok())
    return context.Fail(saved.error());
  context.out() << fmt::format("asked {} to stop where that is still possible\n", id);
  return kDone;
}

int Run(const OperationWords& words, Context& context) {
  if (words.action != "cancel") context.NoteOnlyLooks();
  auto resources = context.OpenResources();
  if (!resources.ok()) return context.Fail(resources.error());
  if (words.action == "list" && !words.id.empty()) {
    return context.Fail(Error(ErrorCode::kInvalid,
                              fmt::format("operation list takes no name; operation wait {} tells "
                                          "of one",
                                          base::Printable(words.id))));
  }
  if (words.action == "list") return List(context, **resources);
  if (words.action != "wait" && words.action != "cancel") {
    return context.Fail(
        Error(ErrorCode::kInvalid, fmt::format("operation \"{}\" is not one of list, wait, cancel",
                                               base::Printable(words.action))));
  }
  if (words.id.empty())
    return context.Fail(
        Error(ErrorCode::kInvalid, "name the operation; operation list shows them"));
  return words.action == "wait" ? Wait(context, **resources, words.id)
                                : Cancel(context, **resources, words.id);
}

}  // namespace

Verb OperationVerb() {
  return {"operation",
          "What is running and how it ended: list, wait, cancel",
          {"operations"},
          {"kubectl hsm operation list", "kubectl hsm operation wait payments-sync-1a2b3c4d"},
          true,
          [](Words& words) -> Runner {
            auto options = std::make_shared<OperationWords>();
            words.Argument("ACTION", "list, wait or cancel", options->action, true);
            words.Takes("ACTION", {"list", "wait", "cancel"});
            words.Argument("ID", "the operation", options->id, false);
            return [options](Context& context) { return Run(*options, context); };
          }};
}

}  // namespace hsmops::cli
