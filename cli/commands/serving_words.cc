#include "cli/commands/serving_words.h"

#include <fmt/format.h>

namespace hsmops::cli {

void ServingWords::Declare(Words& words, const std::string& role) {
  words.Option("status-listen", "ADDRESS",
               "host:port of health pages and metrics, plain HTTP; by default none", status_listen);
  words.Option("ca", "FILE", "whom it believes", credentials.ca);
  words.Option("cert", "FILE", "its certificate, spiffe://POOL/" + role, credentials.cert);
  words.Option("key", "FILE", "the key of it, readable by its owner only", credentials.key);
  words.Option("log-format", "FORMAT", "text or json", log_format);
  words.Takes("log-format", {"text", "json"});
}

base::Result<void> ServingWords::Need(
    const std::string& verb,
    const std::vector<std::pair<std::string, const std::string*>>& own) const {
  auto needed = own;
  needed.insert(
      needed.end(),
      {{"--ca", &credentials.ca}, {"--cert", &credentials.cert}, {"--key", &credentials.key}});
  for (const auto& [word, value] : needed) {
    if (value->empty())
      return base::Error(base::ErrorCode::kInvalid,
                         fmt::format("{} needs {}; see --help", verb, word));
  }
  return {};
}

int FailToServe(Context& context, const base::Error& error) {
  return context.Fail(error.code() == base::ErrorCode::kNotFound
                          ? base::Error(base::ErrorCode::kUnavailable, error.message())
                          : error);
}

void SayListening(ProcessLog& log, const net::Listening& at) {
  if (!at.status.empty()) log.Say("info", "health and metrics on http://" + at.status);
  log.Say("info", "listening on " + at.address);
}

}  // namespace hsmops::cli
