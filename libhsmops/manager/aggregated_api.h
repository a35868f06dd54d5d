// AggregatedApi: the live API live.hsm.j5t.io/v1alpha1, as a manager serves it behind the API
// server's aggregation layer, so that kubectl and RBAC are all that a person needs.
//
// Every request is for whom the front proxy says it is, and is done if a SubjectAccessReview allows
// it. GET mirroredsecrets and devicehealths, of one namespace: that of the manager's devices.
// GET, PUT and DELETE mirroredsecrets/NAME/value read, write and delete a secret:
//   merge=true       keys that are not named keep their values
//   expect=VERSION   refuse unless this is the version now, or "absent"; as well as
//                    metadata.resourceVersion and preconditions.resourceVersion
//   opId=UUID        the same id again does not write twice
//   stamp=STAMP      when the write was first asked for, as dryRun=All answers it in status.stamp:
//                    what comes later than ten seconds after is done no more. Without it the write
//                    is done whenever it comes.
// GET devicehealths/NAME/diff?left=NODE&right=NODE compares two members;
// devicehealths/NAME/divergence, with name, node and version, lists what is in quarantine, whose
// values are read by GET mirroredsecrets/NAME/value?node=NODE&version=VERSION.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <variant>

#include "libhsmops/kube/access_review.h"
#include "libhsmops/manager/fronts.h"
#include "libhsmops/manager/live_path.h"
#include "libhsmops/net/http_message.h"
#include "libhsmops/net/lane.h"

namespace hsmops::manager {

std::vector<net::LaneLimits> AggregatedLanes();

// Thread-safe.
class AggregatedApi {
 public:
  // How whom a request is for is said, as the API server has it now; nullptr: not known.
  using HeaderSource = std::function<std::shared_ptr<const kube::RequestHeader>()>;
  // All must outlive it. `ns`: of the devices.
  AggregatedApi(World& world, Fronts& fronts, kube::AccessReview& access, std::string ns,
                HeaderSource header)
      : world_(world),
        fronts_(fronts),
        access_(access),
        ns_(std::move(ns)),
        header_(std::move(header)) {}

  // Decides by the header alone, as net::Router wants it.
  std::variant<net::Route, net::Reply> Find(const net::Received& head);

 private:
  net::Reply Answer(const LivePath& path, const std::string& verb, net::Received&& request);
  base::Result<void> Allow(const LivePath& path, const std::string& verb,
                           const net::Received& request);
  base::Result<net::Reply> Do(const LivePath& path, const std::string& verb, bool table,
                              net::Received&& request);
  // What of a list could be made, and what is to be said beside it.
  struct Some {
    std::vector<nlohmann::json> items;
    std::vector<std::string> warnings;
  };
  // Of each of these devices by `add`; one of several that fails is a warning, all that fail are an
  // error, and so is the only one.
  base::Result<Some> OfEach(
      const std::vector<std::string>& devices,
      const std::function<base::Result<void>(const std::string& device, Some& some)>& add);
  base::Result<net::Reply> Secrets(const LivePath& path, bool table);
  base::Result<void> AddSecrets(const std::string& device, const std::string& only, Some& some);
  base::Result<void> AddHealth(const std::string& device, Some& some);
  base::Result<net::Reply> Healths(const LivePath& path, bool table);
  base::Result<net::Reply> Diff(const LivePath& path);
  base::Result<net::Reply> Divergence(const LivePath& path);
  base::Result<net::Reply> Value(const LivePath& path);
  static base::Result<Served> SetAsideValue(Pool& pool, const LivePath& path,
                                            const store::SecretName& name);
  base::Result<net::Reply> Write(const LivePath& path, bool removes, const net::Received& request);
  base::Result<std::vector<std::string>> DevicesOf(const LivePath& path);

  World& world_;
  Fronts& fronts_;
  kube::AccessReview& access_;
  const std::string ns_;
  const HeaderSource header_;
};

}  // namespace hsmops::manager
