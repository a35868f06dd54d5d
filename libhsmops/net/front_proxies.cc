#include "libhsmops/net/front_proxies.h"

#include <openssl/x509.h>

#include <algorithm>

#include "libhsmops/net/credentials.h"

namespace hsmops::net {

using base::Error;
using base::ErrorCode;
using base::Result;

Result<std::shared_ptr<const FrontProxies>> FrontProxies::Make(std::string_view ca,
                                                               std::vector<std::string> names) {
  HSM_TRY(TrustStore trust, MakeTrust(base::AsBytes(ca)));
  return std::shared_ptr<const FrontProxies>(new FrontProxies(std::move(trust), std::move(names)));
}

bool FrontProxies::LetsIn(const std::string& common_name) const {
  if (common_name.empty()) return false;
  return names_.empty() || std::ranges::find(names_, common_name) != names_.end();
}

}  // namespace hsmops::net
