// FrontProxies: whom a server lets in that speaks for others: the API server's aggregation layer,
// which has found out who asks and says so in headers (Kubernetes documentation, "Configure the
// Aggregation Layer").
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libhsmops/net/certificate.h"

namespace hsmops::net {

// Immutable; used by several threads.
class FrontProxies {
 public:
  // `ca`: PEM, one or several authorities. `names`: the common names that are let in; none: all
  // that these authorities vouch for. kInvalid: no authority in it.
  static base::Result<std::shared_ptr<const FrontProxies>> Make(std::string_view ca,
                                                                std::vector<std::string> names);

  x509_store_st& trust() const { return *trust_; }
  bool LetsIn(const std::string& common_name) const;

 private:
  FrontProxies(TrustStore trust, std::vector<std::string> names)
      : trust_(std::move(trust)), names_(std::move(names)) {}

  const TrustStore trust_;
  const std::vector<std::string> names_;
};

}  // namespace hsmops::net
