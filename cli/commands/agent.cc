#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <memory>

#include "cli/commands/verbs.h"
#include "cli/exit_code.h"
#include "cli/process_log.h"
#include "libhsmops/agent/server.h"

namespace hsmops::cli {
namespace {

struct AgentWords {
  std::string token;
  std::string state;
  std::string listen = ":9443";
  std::string status_listen;
  std::string ca;
  std::string cert;
  std::string key;
  std::string log_format;
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
  auto log = ProcessLog::Open(context, words.log_format);
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
  config.status_listen = words.status_listen;
  config.credentials = {words.ca, words.cert, words.key};
  const auto served = agent::RunAgent(
      config, stop.asked(),
      [&](const agent::Listening& at) {
        if (!at.status.empty()) (*log)->Say("info", "health and metrics on http://" + at.status);
        (*log)->Say("info", "listening on " + at.address);
      },
      [&](const std::string& line) { (*log)->Say("warning", line); });
  if (!served.ok()) return context.Fail(served.error());
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
        words.Option("status-listen", "ADDRESS",
                     "host:port of health pages and metrics, plain HTTP; by default none",
                     options->status_listen);
        words.Option("ca", "FILE", "whom it believes", options->ca);
        words.Option("cert", "FILE", "its certificate, spiffe://POOL/member/NODE", options->cert);
        words.Option("key", "FILE", "the key of it, readable by its owner only", options->key);
        words.Option("log-format", "FORMAT", "text or json", options->log_format);
        words.Takes("log-format", {"text", "json"});
        return [options](Context& context) -> int {
          for (const auto& [word, value] :
               {std::pair("--token", &options->token), std::pair("--state", &options->state),
                std::pair("--ca", &options->ca), std::pair("--cert", &options->cert),
                std::pair("--key", &options->key)}) {
            if (value->empty())
              return context.Fail(
                  {base::ErrorCode::kInvalid, fmt::format("agent needs {}; see --help", word)});
          }
          return Run(*options, context);
        };
      }};
}

}  // namespace hsmops::cli
