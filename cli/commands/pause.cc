#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <ostream>

#include "cli/commands/handover.h"
#include "cli/commands/operation_output.h"
#include "cli/commands/verbs.h"
#include "cli/exit_code.h"

namespace hsmops::cli {
namespace {

constexpr base::Duration kDefaultPause = std::chrono::hours(1);
constexpr base::Duration kLongestPause = std::chrono::hours(24 * 30);

std::string UserName() {
  const passwd* user = getpwuid(getuid());
  return user == nullptr ? fmt::format("uid {}", getuid()) : user->pw_name;
}

struct PauseWords {
  std::string device;
  std::string duration;
  std::string reason;
};

using Change = std::function<std::string(cluster::HSMDeviceStatus&)>;  // what it did, as a sentence

int ChangeStatus(Context& context, const std::string& verb, const std::string& device,
                 cluster::HSMOperationSpec spec, const Change& change) {
  if (const auto code = HandOver(context, device, spec)) return *code;
  auto cluster = context.OpenCluster(verb, device);
  if (!cluster.ok()) return context.Fail(cluster.error());
  manager::Pool& pool = (*cluster)->pool();
  auto log = manager::OperationLog::Begin(pool, std::move(spec));
  if (!log.ok()) return context.Fail(log.error());
  std::string sentence;
  if (auto saved =
          pool.UpdateStatus([&](cluster::HSMDeviceStatus& status) { sentence = change(status); });
      !saved.ok()) {
    return FailOperation(context, *log, saved.error());
  }
  return FinishOperation(context, *log, cluster::OperationPhase::kSucceeded, sentence, kDone);
}

int RunPause(const PauseWords& words, Context& context) {
  base::Duration length = kDefaultPause;
  if (!words.duration.empty()) {
    const auto parsed = base::ParseDuration(words.duration).Within("--for");
    if (!parsed.ok()) return context.Fail(parsed.error());
    length = *parsed;
  }
  if (length <= base::Duration(0) || length > kLongestPause)
    return context.Fail({base::ErrorCode::kInvalid, "--for must be above 0 and at most 30d"});
  if (words.reason.empty())
    return context.Fail(
        {base::ErrorCode::kInvalid, "say why with --reason TEXT: every other command shows it"});
  const base::WallTime now = context.clock().Wall();
  const base::WallTime until = now + std::chrono::duration_cast<std::chrono::microseconds>(length);
  cluster::HSMOperationSpec spec;
  spec.type = cluster::OperationType::kPause;
  spec.until = until;
  spec.reason = words.reason;
  return ChangeStatus(context, "pause", words.device, spec, [&](cluster::HSMDeviceStatus& status) {
    status.paused = cluster::PausedStatus{UserName(), words.reason, now, until};
    return fmt::format("paused until {}: nothing is promoted automatically; resume ends it",
                       base::FormatTime(until));
  });
}

}  // namespace

Verb PauseVerb() {
  return {"pause",
          "Maintenance mode: nothing is promoted automatically, until it ends by itself",
          {},
          {"kubectl hsm pause --for 2h --reason 'kernel upgrade'"},
          true,
          [](Words& words) -> Runner {
            auto options = std::make_shared<PauseWords>();
            words.Argument("DEVICE", "the device; by default the only one", options->device, false);
            words.Option("for", "DURATION", "how long; by default 1h", options->duration);
            words.Option("reason", "TEXT", "why (required); every command shows it",
                         options->reason);
            return [options](Context& context) { return RunPause(*options, context); };
          }};
}

Verb ResumeVerb() {
  return {"resume",
          "End maintenance mode",
          {},
          {"kubectl hsm resume"},
          true,
          [](Words& words) -> Runner {
            auto device = std::make_shared<std::string>();
            words.Argument("DEVICE", "the device; by default the only one", *device, false);
            return [device](Context& context) {
              cluster::HSMOperationSpec spec;
              spec.type = cluster::OperationType::kResume;
              return ChangeStatus(
                  context, "resume", *device, spec, [](cluster::HSMDeviceStatus& status) {
                    const bool was = status.paused.has_value();
                    status.paused.reset();
                    return std::string(was ? "resumed" : "no change: it was not paused");
                  });
            };
          }};
}

Verb AckVerb() {
  return {
      "ack",
      "Allow the next automatic failover although the last one was recent",
      {},
      {"kubectl hsm ack"},
      true,
      [](Words& words) -> Runner {
        auto device = std::make_shared<std::string>();
        words.Argument("DEVICE", "the device; by default the only one", *device, false);
        return [device](Context& context) {
          cluster::HSMOperationSpec spec;
          spec.type = cluster::OperationType::kAck;
          return ChangeStatus(context, "ack", *device, spec, [&](cluster::HSMDeviceStatus& status) {
            cluster::SetCondition(status.conditions,
                                  {cluster::kFailoverAcknowledged, cluster::ConditionStatus::kTrue,
                                   "Acknowledged", "by " + UserName(), 0, std::nullopt},
                                  context.clock().Wall());
            return std::string(
                "acknowledged: minInterval does not hold back the next automatic failover");
          });
        };
      }};
}

}  // namespace hsmops::cli
