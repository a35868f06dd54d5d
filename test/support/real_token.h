// RealToken: the token that test/token/with_token put beside this process, from its environment.
#pragma once

#include <string>

namespace hsmops::test {

struct RealToken {
  std::string kind;  // softhsm, opencryptoki, tpm2, nss, p11-kit
  std::string uri;
  bool can_unplug = false;
  bool can_renew = false;

  // Fails the test if there is none.
  static RealToken FromEnvironment();
  void Unplug() const;
  void Replug() const;
  void Renew() const;  // an empty token of the same name and PIN takes its place
};

}  // namespace hsmops::test
