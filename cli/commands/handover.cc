#include "cli/commands/handover.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/exit_code.h"
#include "cli/printer.h"
#include "cli/process_log.h"
#include "libhsmops/base/encoding.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/cluster/typed_store.h"
#include "libhsmops/manager/election.h"
#include "libhsmops/manager/operation_log.h"

namespace hsmops::cli {
namespace {

using base::ErrorCode;
using base::Result;
using cluster::HSMOperation;

constexpr base::Duration kLook = std::chrono::milliseconds(100);

// The Lease is written in every second; a leader that is gone has not done so for a while.
Result<bool> ManagerLeads(Context& context, cluster::ResourceStore& resources) {
  const auto lease = cluster::Load<cluster::Lease>(resources, context.globals().ns,
                                                   manager::ElectionOptions{}.lease);
  if (lease.Is(ErrorCode::kNotFound)) return false;
  if (!lease.ok()) return lease.error();
  if (lease->spec.holder_identity.value_or("").empty() || !lease->spec.renew_time) return false;
  const std::chrono::seconds duration(lease->spec.lease_duration_seconds.value_or(0));
  return context.clock().Wall() - *lease->spec.renew_time < 2 * duration;
}

int CodeOf(const HSMOperation& operation) {
  switch (operation.status.phase) {
    case cluster::OperationPhase::kSucceeded:
      return kDone;
    case cluster::OperationPhase::kPartial:
      return kPartial;
    default:
      break;
  }
  for (auto code = ErrorCode::kNotFound; code != ErrorCode::kInternal;
       code = static_cast<ErrorCode>(static_cast<int>(code) + 1)) {
    if (operation.status.result == base::Name(code)) return ExitCodeFor(code);
  }
  return kFailed;
}

int Finish(Context& context, const HSMOperation& operation) {
  const int code = CodeOf(operation);
  const std::string message = context.WithCluster(base::Printable(operation.status.message));
  const int printed = Print(context, operation.ToJson(), [&](bool) {
    (code == kDone || code == kPartial ? context.out() : context.err())
        << (code == kDone || code == kPartial ? "" : "error: ") << message << "\n";
  });
  return printed != kDone ? printed : code;
}

// Its steps as they come, its end, --timeout, or Ctrl-C.
int Follow(Context& context, cluster::ResourceStore& resources, const std::string& name) {
  const auto timeout = context.Timeout();
  if (!timeout.ok()) return context.Fail(timeout.error());
  const base::TimePoint deadline = context.clock().Now() + *timeout;
  const StopSignal stop;
  std::size_t told = 0;
  for (;;) {
    const auto operation = cluster::Load<HSMOperation>(resources, context.globals().ns, name);
    if (!operation.ok()) return context.Fail(operation.error());
    for (; told < operation->status.steps.size(); ++told) {
      const cluster::OperationStep& step = operation->status.steps[told];
      context.err() << fmt::format("{}: {}\n", step.name, base::Printable(step.message));
    }
    if (operation->Finished()) return Finish(context, *operation);
    if (stop.asked()) {
      context.err() << context.WithCluster(fmt::format(
          "detached: {0} goes on; kubectl hsm operation wait {0} says how it ends, kubectl hsm "
          "operation cancel {0} ends it where that is still possible\n",
          name));
      return kInterrupted;
    }
    if (context.clock().Now() >= deadline) {
      context.err() << context.WithCluster(fmt::format(
          "still running: {0}; kubectl hsm operation wait {0} says how it ends\n", name));
      return kAccepted;
    }
    context.clock().SleepFor(kLook);
  }
}

}  // namespace

std::optional<int> HandOver(Context& context, const std::string& device,
                            cluster::HSMOperationSpec spec) {
  auto resources = context.OpenResources();
  if (!resources.ok()) return context.Fail(resources.error());
  const auto leads = ManagerLeads(context, **resources);
  if (!leads.ok()) return context.Fail(leads.error());
  if (!*leads) return std::nullopt;
  const auto name = context.DeviceName(**resources, device);
  if (!name.ok()) return context.Fail(name.error());
  HSMOperation operation;
  operation.metadata.ns = context.globals().ns;
  operation.metadata.name = fmt::format("{}-cli-{}", *name, base::Hex(context.rng().Array<4>()));
  operation.spec = std::move(spec);
  operation.spec.device_ref = {*name, ""};
  operation.spec.ttl_seconds_after_finished = manager::kOperationTtl;
  if (auto valid = operation.Validate(); !valid.ok()) return context.Fail(valid.error());
  if (auto made = cluster::CreateNew(**resources, operation); !made.ok())
    return context.Fail(made.error());
  return Follow(context, **resources, operation.metadata.name);
}

}  // namespace hsmops::cli
