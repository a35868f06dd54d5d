#include <fmt/format.h>

#include <memory>

#include "cli/commands/serving_words.h"
#include "cli/commands/verbs.h"
#include "cli/exit_code.h"
#include "libhsmops/manager/server.h"

namespace hsmops::cli {
namespace {

struct ManagerWords {
  std::string listen = "127.0.0.1:0";
  std::string url;
  std::string api_listen;
  ServingWords serving;
};

int Run(const ManagerWords& words, Context& context) {
  auto log = ProcessLog::Open(context, words.serving.log_format);
  if (!log.ok()) return context.Fail(log.error());
  context.NoteServesOthers();
  auto resources = context.OpenResources();
  if (!resources.ok()) return context.Fail(resources.error());
  StopSignal stop;
  manager::ServerConfig config;
  config.ns = context.ns();
  config.listen = words.listen;
  config.url = words.url;
  config.status_listen = words.serving.status_listen;
  config.credentials = words.serving.credentials;
  config.enrols = context.OnKubernetes();
  config.api_listen = words.api_listen;
  if (context.OnKubernetes()) {
    const auto api = context.OpenApi();
    if (!api.ok()) return context.Fail(api.error());
    config.kubernetes = &(*api)->client();
  } else if (!words.api_listen.empty()) {
    return context.Fail(
        {base::ErrorCode::kInvalid,
         "--api-listen is for a Kubernetes cluster, whose API server comes there; a "
         "cluster folder's clients come to --listen"});
  }
  const auto served = manager::RunManager(
      **resources, config, stop.asked(), [&](const net::Listening& at) { SayListening(**log, at); },
      [&](const std::string& level, const std::string& sentence) { (*log)->Say(level, sentence); });
  if (!served.ok()) return FailToServe(context, served.error());
  (*log)->Say("info", "stopped");
  return kDone;
}

}  // namespace

Verb ManagerVerb() {
  return {"manager",
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
            words.Option("api-listen", "ADDRESS",
                         "host:port of the live API behind the API server's aggregation layer",
                         options->api_listen);
            options->serving.Declare(words, "manager/NAME");
            return [options](Context& context) -> int {
              const auto whole = options->serving.Need("manager", {});
              if (!whole.ok()) return context.Fail(whole.error());
              return Run(*options, context);
            };
          }};
}

}  // namespace hsmops::cli
