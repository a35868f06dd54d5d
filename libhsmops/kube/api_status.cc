#include "libhsmops/kube/api_status.h"

#include <fmt/format.h>

#include "libhsmops/base/printable.h"
#include "libhsmops/kube/json_fields.h"

namespace hsmops::kube {

using base::Error;
using base::ErrorCode;

namespace {

constexpr std::size_t kMaxShown = 1000;

// Of a Status its message; of anything else (a proxy's page) its begin.
std::string MessageOf(const RestAnswer& answer, const nlohmann::json& document) {
  const base::ByteView body = answer.body.view();
  std::string message(reinterpret_cast<const char*>(body.data()), body.size());
  if (std::string said = TextAt(document, "message"); !said.empty()) message = std::move(said);
  if (message.size() > kMaxShown) message.resize(kMaxShown);
  while (!message.empty() && message.back() == '\n') message.pop_back();
  return base::Printable(message);
}

// A 404 that is about an object names it. Without one it is the resource that is not served: the
// CustomResourceDefinition is not there, or the path is another server's. That says nothing about
// any object.
bool NamesAnObject(const nlohmann::json& status) {
  return TextAt(status, "kind") == "Status" && !TextAt(ObjectAt(status, "details"), "name").empty();
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

std::string CanI(const ApiVerb& asked, const std::string& as) {
  const std::size_t slash = asked.resource.find('/');
  return fmt::format(
      "kubectl auth can-i {} {}{}{}{}", asked.verb, asked.resource.substr(0, slash),
      slash == std::string::npos ? "" : " --subresource=" + asked.resource.substr(slash + 1),
      asked.ns.empty() ? " -A" : " -n " + asked.ns, as);
}

// For who is not the one that was refused: User "bob" cannot get resource ….
std::string AsUserOf(const std::string& said) {
  constexpr std::string_view kBefore = "User \"";
  const std::size_t at = said.find(kBefore);
  if (at == std::string::npos) return {};
  const std::size_t begin = at + kBefore.size();
  const std::size_t end = said.find('"', begin);
  return end == std::string::npos ? "" : " --as " + said.substr(begin, end - begin);
}

std::string CrdOf(const std::string& resource) { return resource.substr(0, resource.find('/')); }

}  // namespace

bool IsSuccess(int status) { return status >= 200 && status < 300; }
bool IsExpired(int status) { return status == 410; }

Error ErrorOf(const RestAnswer& answer, const ApiVerb& asked) {
  const nlohmann::json status = ParseBody(answer.body);
  const std::string said = MessageOf(answer, status);
  if (answer.status == 404 && !NamesAnObject(status)) {
    return {
        ErrorCode::kUnavailable,
        fmt::format("the API server does not serve {} (404{}{}): is the CustomResourceDefinition "
                    "there? kubectl get crd {}",
                    asked.resource, said.empty() ? "" : ": ", said, CrdOf(asked.resource))};
  }
  if (answer.status == 400 && !status.is_object()) {
    return {ErrorCode::kUnavailable,
            fmt::format("what answers is no API server (400{}{}); kubectl config view --minify "
                        "shows the server that is named",
                        said.empty() ? "" : ": ", said)};
  }
  std::string message =
      fmt::format("the API server answered {}{}{}", answer.status, said.empty() ? "" : ": ", said);
  if (answer.status == 401)
    message +=
        "; who you are was not accepted: is the credential expired? kubectl config view --minify "
        "shows which it is";
  if (answer.status == 403) {
    const bool others = answer.for_others && answer.as.empty();
    message += fmt::format("; {} shows it", CanI(asked, others ? AsUserOf(said) : answer.as));
  }
  return {CodeOf(answer.status, asked.reads()), message};
}

}  // namespace hsmops::kube
