#include "libhsmops/kube/self_review.h"

#include <nlohmann/json.hpp>

#include "libhsmops/kube/api_status.h"
#include "libhsmops/kube/json_fields.h"

namespace hsmops::kube {

base::Result<std::string> WhoAmI(RestClient& client, base::TimePoint deadline) {
  RestRequest request;
  request.method = "POST";
  request.path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
  request.body = base::SecretBytes::FromText(
      R"({"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"})");
  request.deadline = deadline;
  const auto answer = client.Call(std::move(request));
  std::string name;
  if (answer.ok() && IsSuccess(answer->status))
    name = TextIn(ParseBody(answer->body.view()), "/status/userInfo/username");
  if (!name.empty()) return name;
  return base::Error(base::ErrorCode::kUnavailable, "the API server does not say who we are");
}

}  // namespace hsmops::kube
