#include <fmt/format.h>

#include <memory>

#include "cli/commands/verbs.h"
#include "cli/exit_code.h"
#include "cli/process_log.h"
#include "libhsmops/manager/server.h"

namespace hsmops::cli {
namespace {

struct ManagerWords {
  std::string listen = "127.0.0.1:0";
  std::string url;
  std::string status_listen;
  std::string ca;
  std::string cert;
  std::string key;
  std::string log_format;
};

int Run(const ManagerWords& words, Context& context) {
  auto log = ProcessLog::Open(context, words.log_format);
  if (!log.ok()) return context.Fail(log.error());
  auto resources = context.OpenResources();
  if (!resources.ok()) return context.Fail(resources.error());
  StopSignal stop;
  manager::ServerConfig config;
  config.ns = context.globals().ns;
  config.listen = words.listen;
  config.url = words.url;
  config.status_listen = words.status_listen;
  config.credentials = {words.ca, words.cert, words.key};
  const auto served = manager::RunManager(
      **resources, config, stop.asked(),
      [&](const manager::Listening& at) {
        if (!at.status.empty()) (*log)->Say("info", "health and metrics on http://" + at.status);
        (*log)->Say("info", "listening on " + at.address);
      },
      [&](const std::string& level, const std::string& sentence) { (*log)->Say(level, sentence); });
  if (!served.ok()) return context.Fail(served.error());
  (*log)->Say("info", "stopped");
  return kDone;
}

}  // namespace

Verb ManagerVerb() {
  return {
      "manager",
      "Mirror, watch and fail over; several run, and one of them leads",
      {},
      {"kubectl hsm --local ./c manager --listen 10.0.0.21:9444 --ca ca.crt --cert tls.crt "
       "--key tls.key"},
      false,
      [](Words& words) -> Runner {
        auto options = std::make_shared<ManagerWords>();
        words.Option("listen", "ADDRESS", "host:port of its live API; by default 127.0.0.1:0",
                     options->listen);
        words.Option("url", "URL", "where clients reach that; by default what it listens on",
                     options->url);
        words.Option("status-listen", "ADDRESS",
                     "host:port of health pages and metrics, plain HTTP; by default none",
                     options->status_listen);
        words.Option("ca", "FILE", "whom it believes", options->ca);
        words.Option("cert", "FILE", "its certificate, spiffe://POOL/manager/NAME", options->cert);
        words.Option("key", "FILE", "the key of it, readable by its owner only", options->key);
        words.Option("log-format", "FORMAT", "text or json", options->log_format);
        words.Takes("log-format", {"text", "json"});
        return [options](Context& context) -> int {
          for (const auto& [word, value] :
               {std::pair("--ca", &options->ca), std::pair("--cert", &options->cert),
                std::pair("--key", &options->key)}) {
            if (value->empty())
              return context.Fail(
                  {base::ErrorCode::kInvalid, fmt::format("manager needs {}; see --help", word)});
          }
          return Run(*options, context);
        };
      }};
}

}  // namespace hsmops::cli
