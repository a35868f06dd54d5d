#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <memory>

#include "cli/commands/serving_words.h"
#include "cli/commands/verbs.h"
#include "cli/exit_code.h"
#include "libhsmops/agent/server.h"

namespace hsmops::cli {
namespace {

struct AgentWords {
  std::string token;
  std::string state;
  std::string listen = ":9443";
  ServingWords serving;
};

// The PIN and values are in this process's memory, and are to stay there. Only what is touched is
// locked: of a thread's stack that is little. With a limit an allocation would fail some day for
// it, so then nothing is.
bool LockMemory() {
  rlimit limit{};
  const bool limited = getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur != RLIM_INFINITY;
  if (limited && geteuid() != 0) return false;
  return mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0;
}

int Run(const AgentWords& words, Context& context) {
  auto log = ProcessLog::Open(context, words.serving.log_format);
  if (!log.ok()) return context.Fail(log.error());
  if (!LockMemory())
    (*log)->Say("warning",
                "memory is not locked (RLIMIT_MEMLOCK is not unlimited): swap must be off or "
                "encrypted");
  StopSignal stop;
  agent::ServerConfig config;
  config.token = words.token;
  config.state_folder = words.state;
  config.listen = words.listen;
  config.status_listen = words.serving.status_listen;
  config.credentials = words.serving.credentials;
  const auto served = agent::RunAgent(
      config, stop.asked(), [&](const net::Listening& at) { SayListening(**log, at); },
      [&](const std::string& level, const std::string& sentence) { (*log)->Say(level, sentence); });
  if (!served.ok()) return FailToServe(context, served.error());
  (*log)->Say("info", "stopped: the gate is closed and no write is in flight");
  return kDone;
}

}  // namespace

Verb AgentVerb() {
  return {
      "agent",
      "Serve one node's token to the managers and members of its pool, over mutual TLS",
      {},
      {"kubectl hsm agent --token 'pkcs11:serial=DENK0100123?module-path=…&pin-source=file:/etc/"
       "hsm/pin' --state /var/lib/hsm --ca ca.crt --cert tls.crt --key tls.key"},
      false,
      [](Words& words) -> Runner {
        auto options = std::make_shared<AgentWords>();
        words.Option("token", "URI",
                     "the token (RFC 7512); the PIN by pin-source=file:", options->token);
        words.Option("state", "DIR", "where it remembers what it promised; on a disk that stays",
                     options->state);
        words.Option("listen", "ADDRESS", "host:port; by default :9443", options->listen);
        options->serving.Declare(words, "member/NODE");
        return [options](Context& context) -> int {
          const auto whole = options->serving.Need(
              "agent", {{"--token", &options->token}, {"--state", &options->state}});
          if (!whole.ok()) return context.Fail(whole.error());
          return Run(*options, context);
        };
      }};
}

}  // namespace hsmops::cli
