#include <fmt/format.h>

#include <memory>

#include "cli/commands/handover.h"
#include "cli/commands/verbs.h"
#include "cli/exit_code.h"

namespace hsmops::cli {
namespace {

constexpr base::Duration kDefaultPause = std::chrono::hours(1);
constexpr base::Duration kLongestPause = std::chrono::hours(24 * 30);

struct PauseWords {
  std::string device;
  std::string duration;
  std::string reason;
};

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
  cluster::HSMOperationSpec spec;
  spec.type = cluster::OperationType::kPause;
  spec.until =
      context.clock().Wall() + std::chrono::duration_cast<std::chrono::microseconds>(length);
  spec.reason = words.reason;
  return PrintEnd(context, Act(context, "pause", words.device, spec));
}

// A verb that names a device and nothing else.
Runner DeclareBare(Words& words, const std::string& verb, cluster::OperationType type) {
  auto device = std::make_shared<std::string>();
  words.Argument("DEVICE", "the device; by default the only one", *device, false);
  return [device, verb, type](Context& context) {
    cluster::HSMOperationSpec spec;
    spec.type = type;
    return PrintEnd(context, Act(context, verb, *device, spec));
  };
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
  return {"resume", "End maintenance mode", {}, {"kubectl hsm resume"}, true, [](Words& words) {
            return DeclareBare(words, "resume", cluster::OperationType::kResume);
          }};
}

Verb AckVerb() {
  return {
      "ack", "Allow the next automatic failover although the last failover was recent",
      {},    {"kubectl hsm ack"},
      true,  [](Words& words) { return DeclareBare(words, "ack", cluster::OperationType::kAck); }};
}

}  // namespace hsmops::cli
