#include "cli/commands/handover.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/commands/writing.h"
#include "cli/exit_code.h"
#include "cli/printer.h"
#include "cli/process_log.h"
#include "cli/progress.h"
#include "libhsmops/base/encoding.h"
#include "libhsmops/base/printable.h"
#include "libhsmops/cluster/typed_store.h"
#include "libhsmops/kube/self_review.h"
#include "libhsmops/manager/election.h"
#include "libhsmops/manager/report.h"
#include "libhsmops/manager/task.h"

namespace hsmops::cli {
namespace {

using base::Error;
using base::ErrorCode;
using base::Result;
using cluster::HSMOperation;
using cluster::OperationPhase;

constexpr base::Duration kLook = std::chrono::milliseconds(100);

// nullopt: the result is none of an error.
std::optional<ErrorCode> ErrorOf(const HSMOperation& operation) {
  for (auto code = ErrorCode::kNotFound; code <= ErrorCode::kInternal;
       code = static_cast<ErrorCode>(static_cast<int>(code) + 1)) {
    if (operation.status.result == base::Name(code)) return code;
  }
  return std::nullopt;
}

bool WentWell(const HSMOperation& operation) {
  return operation.status.phase == OperationPhase::kSucceeded ||
         operation.status.phase == OperationPhase::kPartial;
}

const char* LabelOf(std::optional<cluster::OperationType> type) {
  if (type == cluster::OperationType::kSync) return "syncing";
  return type == cluster::OperationType::kVerify ? "verifying" : "done";
}

// Steps and progress of an operation, on standard error, each step once.
class Teller {
 public:
  explicit Teller(Context& context) : context_(context) {}

  void Tell(const HSMOperation& operation) {
    const std::string& message = operation.status.message;
    if (operation.status.phase == cluster::OperationPhase::kPending && !message.empty() &&
        std::exchange(waits_, message) != message)
      context_.err() << context_.WithCluster(base::Printable(message)) << "\n";
    for (; told_ < operation.status.steps.size(); ++told_) {
      const cluster::OperationStep& step = operation.status.steps[told_];
      if (operation.spec.dry_run && step.name == manager::kPlanStep) continue;  // with its end
      bar_.reset();
      context_.err() << context_.WithCluster(
          fmt::format("{}: {}\n", base::Printable(step.name), base::Printable(step.message)));
    }
    const auto& progress = operation.status.progress;
    if (operation.Finished() || !progress) {
      bar_.reset();
      return;
    }
    if (!bar_) bar_.emplace(context_, LabelOf(operation.spec.type));
    bar_->Callback()(static_cast<std::uint64_t>(progress->done),
                     static_cast<std::uint64_t>(progress->total));
  }

 private:
  Context& context_;
  std::size_t told_ = 0;
  std::string waits_;  // why it is not begun
  std::optional<ProgressBar> bar_;
};

std::string HowToEnd(const std::string& id) {
  return fmt::format(
      "kubectl hsm operation wait {0} says how it ends, kubectl hsm operation cancel {0} ends it "
      "where that is still possible",
      id);
}

// It is asked for and somebody will do it, which an error here changes nothing of.
int OutOfSight(Context& context, const std::string& id, const Error& error) {
  context.err() << context.WithCluster(
      fmt::format("in doubt: {} is asked for and cannot be looked at: {}; {}\n", id,
                  base::Printable(error.message()), HowToEnd(id)));
  return kAccepted;
}

// Its steps as they come, its end, --timeout, or Ctrl-C.
Followed FollowMade(Context& context, cluster::ResourceStore& resources, const HSMOperation& made,
                    base::TimePoint deadline, const StopSignal& stop) {
  const std::string& id = made.metadata.name;
  if (const auto& begins = made.spec.not_before) {
    context.err() << fmt::format("{} begins at {}\n", id, base::FormatTime(*begins));
    if (*begins - context.clock().Wall() >= deadline - context.clock().Now()) {
      context.err() << context.WithCluster(fmt::format("accepted: {}\n", HowToEnd(id)));
      return kAccepted;
    }
  }
  Teller teller(context);
  for (;;) {
    auto operation = cluster::Load<HSMOperation>(resources, made.metadata.ns, id);
    if (!operation.ok()) return OutOfSight(context, id, operation.error());
    teller.Tell(*operation);
    if (operation->Finished()) return *std::move(operation);
    if (stop.asked()) {
      context.err() << context.WithCluster(
          fmt::format("detached: {} goes on; {}\n", id, HowToEnd(id)));
      return kInterrupted;
    }
    if (context.clock().Now() >= deadline) {
      // It was taken for granted when the operation was made.
      const auto managers = manager::LookForManagers(resources, context.clock(), made.metadata.ns);
      const bool gone = managers.ok() && *managers != failover::Managers::kLead;
      context.err() << context.WithCluster(fmt::format(
          "{}: {}{}; {}\n", HowFar(*operation), id,
          gone ? ", and no manager leads now: start kubectl hsm manager" : "", HowToEnd(id)));
      return kAccepted;
    }
    context.clock().SleepFor(kLook);
  }
}

// On Kubernetes as the API server has it; where that does not say, and in a folder, the system's.
std::string UserName(Context& context) {
  if (context.OnKubernetes()) {
    const auto api = context.OpenApi();
    const auto name =
        api.ok() ? kube::WhoAmI((*api)->client(), context.clock().Now() + (*api)->timeout())
                 : Result<std::string>(api.error());
    if (name.ok()) return *name;
  }
  const passwd* user = getpwuid(getuid());
  return user == nullptr ? fmt::format("uid {}", getuid()) : user->pw_name;
}

// What a manager's next turn and the agents do by themselves: the status for those who read the
// folder, and the EPOCH objects of the terms before.
void AfterPromotion(Context& context, manager::Pool& pool) {
  const auto state = pool.ObserveByLatest(false);
  (void)pool.UpdateStatus([&](cluster::HSMDeviceStatus& status) {
    manager::Show(pool.device(), state, context.clock().Wall(), status);
  });
  CollectGarbage(pool);
}

}  // namespace

std::optional<Followed> Follow(Context& context, const std::string& device,
                               cluster::HSMOperationSpec spec) {
  auto resources = context.OpenResources();
  if (!resources.ok()) return context.Fail(resources.error());
  const auto timeout = context.Timeout();
  if (!timeout.ok()) return context.Fail(timeout.error());
  const base::TimePoint deadline = context.clock().Now() + *timeout;
  const auto managers = manager::LookForManagers(**resources, context.clock(), context.ns());
  if (!managers.ok()) return context.Fail(managers.error());
  if (*managers != failover::Managers::kLead && !context.OnKubernetes()) return std::nullopt;
  if (*managers != failover::Managers::kLead)
    return context.Fail(Error(ErrorCode::kUnavailable,
                              fmt::format("no manager leads in namespace {0}, so nobody would do "
                                          "it; kubectl get pods -n {0} shows them",
                                          context.ns())));
  const auto name = context.DeviceName(**resources, device);
  if (!name.ok()) return context.Fail(name.error());
  const auto there = cluster::Load<cluster::HSMDevice>(**resources, context.ns(), *name);
  if (!there.ok()) return context.Fail(there.error());  // no leader would see to it
  context.WarnIfPaused(*there);
  HSMOperation operation;
  operation.metadata.ns = context.ns();
  operation.metadata.name = fmt::format("{}-cli-{}", *name, base::Hex(context.rng().Array<4>()));
  operation.metadata.annotations[cluster::kRequestedBy] = UserName(context);
  operation.spec = std::move(spec);
  operation.spec.device_ref = {*name, ""};
  operation.spec.ttl_seconds_after_finished = manager::kOperationTtl;
  if (auto valid = operation.Validate(); !valid.ok()) return context.Fail(valid.error());
  const StopSignal stop;  // from here on Ctrl-C has something to detach from
  if (auto made = cluster::CreateNew(**resources, operation); !made.ok())
    return context.Fail(made.error());
  return FollowMade(context, **resources, operation, deadline, stop);
}

Followed Act(Context& context, const std::string& verb, const std::string& device,
             const cluster::HSMOperationSpec& spec) {
  if (auto followed = Follow(context, device, spec)) return *std::move(followed);
  auto cluster = context.OpenCluster(verb, device);
  if (!cluster.ok()) return context.Fail(cluster.error());
  manager::Pool& pool = (*cluster)->pool();
  auto log = spec.dry_run
                 ? Result<manager::OperationLog>(manager::OperationLog::Rehearse(pool, spec))
                 : manager::OperationLog::Begin(pool, spec, UserName(context));
  if (!log.ok()) return context.Fail(log.error());
  Teller teller(context);
  log->Tell([&](const HSMOperation& operation) { teller.Tell(operation); });
  const std::string sentence = manager::Carry(pool, *log);
  // A manager would go on with it at its next turn.
  if (!log->operation().Finished()) {
    log->Finish(OperationPhase::kFailed, std::string(base::Name(ErrorCode::kInDoubt)), sentence);
  } else if (manager::IsPromotion(spec) && !spec.dry_run &&
             log->operation().status.phase == OperationPhase::kSucceeded) {
    AfterPromotion(context, pool);
  }
  return log->operation();
}

int PrintEnd(Context& context, const Followed& followed) {
  if (const int* code = std::get_if<int>(&followed)) return *code;
  const auto& operation = std::get<HSMOperation>(followed);
  const int code = CodeOf(operation);
  const std::string message = base::Printable(operation.status.message);
  const int printed = Print(context, operation.ToJson(), [&](bool) {
    if (!WentWell(operation)) return;
    for (const cluster::OperationStep& step : operation.status.steps) {
      if (operation.spec.dry_run && step.name == manager::kPlanStep)
        context.out() << base::Printable(step.message) << "\n";
    }
    context.out() << context.WithCluster(message) << "\n";
  });
  if (!WentWell(operation)) {
    if (code == kAccepted) {
      context.err() << fmt::format("in doubt: {}\n  operation {}\n", context.WithCluster(message),
                                   operation.metadata.name);
    } else {
      (void)context.Fail(
          Error(ErrorOf(operation).value_or(ErrorCode::kInternal), operation.status.message));
    }
  }
  return printed != kDone ? printed : code;
}

std::string PhaseOf(const HSMOperation& operation) {
  return std::string(ErrorOf(operation) == ErrorCode::kInDoubt
                         ? base::Name(ErrorCode::kInDoubt)
                         : cluster::Name(operation.status.phase));
}

const char* HowFar(const HSMOperation& operation) {
  return operation.status.phase == OperationPhase::kRunning ? "still running" : "not begun yet";
}

int CodeOf(const HSMOperation& operation) {
  const auto error = ErrorOf(operation);
  if (error == ErrorCode::kInDoubt) return kAccepted;
  if (operation.status.phase == OperationPhase::kSucceeded) return kDone;
  if (operation.status.phase == OperationPhase::kPartial) return kPartial;
  return error ? ExitCodeFor(*error) : kFailed;
}

}  // namespace hsmops::cli
