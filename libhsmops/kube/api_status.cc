#include "libhsmops/kube/api_status.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "libhsmops/base/printable.h"

namespace hsmops::kube {

using base::Error;
using base::ErrorCode;

namespace {

constexpr std::size_t kMaxShown = 1000;

// Of a Status its message; of anything else (a proxy's page) its begin.
std::string MessageOf(const RestAnswer& answer) {
  const base::ByteView body = answer.body.view();
  const auto document = nlohmann::json::parse(body.begin(), body.end(), nullptr, false);
  std::string message(reinterpret_cast<const char*>(body.data()), body.size());
  if (document.is_object() && document.contains("message") && document["message"].is_string())
    message = document["message"].get<std::string>();
  if (message.size() > kMaxShown) message.resize(kMaxShown);
  while (!message.empty() && message.back() == '\n') message.pop_back();
  return base::Printable(message);
}

ErrorCode CodeOf(int status, bool reads) {
  switch (status) {
    case 401:
    case 403:
      return ErrorCode::kAuthFailed;
    case 404:
      return ErrorCode::kNotFound;
    case 409:
      return ErrorCode::kConflict;
    case 410:
    case 429:
      return ErrorCode::kUnavailable;
    case 413:
      return ErrorCode::kLimit;
    default:
      if (status < 500) return ErrorCode::kInvalid;
      return reads ? ErrorCode::kUnavailable : ErrorCode::kInDoubt;
  }
}

std::string CanI(const ApiVerb& asked) {
  return fmt::format("kubectl auth can-i {} {}{}", asked.verb, asked.resource,
                     asked.ns.empty() ? " -A" : " -n " + asked.ns);
}

}  // namespace

bool IsSuccess(int status) { return status >= 200 && status < 300; }
bool IsExpired(int status) { return status == 410; }

Error ErrorOf(const RestAnswer& answer, const ApiVerb& asked) {
  const std::string said = MessageOf(answer);
  std::string message =
      fmt::format("the API server answered {}{}{}", answer.status, said.empty() ? "" : ": ", said);
  if (answer.status == 401) message += "; who you are was not accepted: is the credential expired?";
  if (answer.status == 403) message += fmt::format("; {} shows it", CanI(asked));
  return {CodeOf(answer.status, asked.reads()), message};
}

}  // namespace hsmops::kube
