// AccessReview: whether somebody may do something, as the API server's own rules (RBAC) have it.
//
// Source: authorization.k8s.io/v1, SubjectAccessReview.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "libhsmops/kube/request_header.h"

namespace hsmops::kube {

// What is to be done, as a Role's rule names it.
struct AccessAttributes {
  std::string verb;  // "get", "list", "update", "delete"
  std::string group;
  std::string version;
  std::string resource;
  std::string subresource;  // empty: none
  std::string ns;           // empty: all
  std::string name;         // empty: all
  auto operator<=>(const AccessAttributes&) const = default;
};

// As the API server's own delegated authorisation remembers: what was allowed stays so for so long.
inline constexpr std::chrono::seconds kAllowedFor{10};
inline constexpr std::size_t kMaxRemembered = 4096;

// Thread-safe.
class AccessReview {
 public:
  // Both must outlive it. `timeout`: of one review.
  AccessReview(RestClient& client, base::Clock& clock,
               base::Duration timeout = std::chrono::seconds(5))
      : client_(client), clock_(clock), timeout_(timeout) {}

  // kAuthFailed: no, with the reason; anything else: it could not be found out, which is no yes.
  base::Result<void> Check(const RequestUser& user, const AccessAttributes& asked);

 private:
  using Key = std::pair<RequestUser, AccessAttributes>;
  bool Remembers(const Key& key);
  void Remember(const Key& key);

  RestClient& client_;
  base::Clock& clock_;
  const base::Duration timeout_;
  std::mutex mutex_;
  std::map<Key, base::TimePoint> allowed_;  // until when
};

}  // namespace hsmops::kube
