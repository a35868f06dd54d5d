#include "libhsmops/kube/access_review.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "libhsmops/base/printable.h"
#include "libhsmops/kube/api_status.h"
#include "libhsmops/kube/json_fields.h"

namespace hsmops::kube {

using base::Error;
using base::ErrorCode;
using base::Result;
using nlohmann::json;

namespace {

json ReviewOf(const RequestUser& user, const AccessAttributes& asked) {
  json attributes{{"verb", asked.verb},
                  {"group", asked.group},
                  {"version", asked.version},
                  {"resource", asked.resource}};
  if (!asked.subresource.empty()) attributes["subresource"] = asked.subresource;
  if (!asked.ns.empty()) attributes["namespace"] = asked.ns;
  if (!asked.name.empty()) attributes["name"] = asked.name;
  json spec{{"user", user.name}, {"resourceAttributes", std::move(attributes)}};
  if (!user.uid.empty()) spec["uid"] = user.uid;
  if (!user.groups.empty()) spec["groups"] = user.groups;
  if (!user.extra.empty()) spec["extra"] = user.extra;
  return {{"apiVersion", "authorization.k8s.io/v1"},
          {"kind", "SubjectAccessReview"},
          {"spec", std::move(spec)}};
}

// In the API server's own words, so that a client knows it by them.
std::string Forbidden(const RequestUser& user, const AccessAttributes& asked) {
  return fmt::format(
      "{}.{}{} is forbidden: User \"{}\" cannot {} resource \"{}{}\" in API group \"{}\"{}",
      asked.resource, asked.group,
      asked.name.empty() ? "" : fmt::format(" \"{}\"", base::Printable(asked.name)),
      base::Printable(user.name), asked.verb, asked.resource,
      asked.subresource.empty() ? "" : "/" + asked.subresource, asked.group,
      asked.ns.empty() ? " at the cluster scope"
                       : fmt::format(" in the namespace \"{}\"", asked.ns));
}

}  // namespace

bool AccessReview::Remembers(const Key& key) {
  const std::lock_guard lock(mutex_);
  const auto found = allowed_.find(key);
  return found != allowed_.end() && clock_.Now() < found->second;
}

void AccessReview::Remember(const Key& key) {
  const std::lock_guard lock(mutex_);
  const base::TimePoint now = clock_.Now();
  if (allowed_.size() >= kMaxRemembered)
    std::erase_if(allowed_, [&](const auto& entry) { return entry.second <= now; });
  if (allowed_.size() < kMaxRemembered) allowed_[key] = now + kAllowedFor;
}

Result<void> AccessReview::Check(const RequestUser& user, const AccessAttributes& asked) {
  const Key key{user, asked};
  if (Remembers(key)) return {};
  RestRequest request;
  request.method = "POST";
  request.path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
  request.body = base::SecretBytes::FromText(ReviewOf(user, asked).dump());
  request.deadline = clock_.Now() + timeout_;
  auto answer = client_.Call(std::move(request)).Within("whether it is allowed is not known");
  if (!answer.ok()) return Error(ErrorCode::kUnavailable, answer.error().message());
  if (!IsSuccess(answer->status)) {
    const Error why = ErrorOf(*answer, {"create", "subjectaccessreviews.authorization.k8s.io"});
    return Error(ErrorCode::kUnavailable, "whether it is allowed is not known: " + why.message());
  }
  const json status = ObjectAt(ParseBody(answer->body), "status");
  const auto allowed = status.find("allowed");
  if (allowed == status.end() || !allowed->is_boolean())
    return Error(ErrorCode::kUnavailable, "whether it is allowed is not known: no answer in it");
  if (!allowed->get<bool>()) return Error(ErrorCode::kAuthFailed, Forbidden(user, asked));
  Remember(key);
  return {};
}

}  // namespace hsmops::kube
