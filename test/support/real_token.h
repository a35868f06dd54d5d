// RealToken: the token that test/token/with_token put beside this process, from its environment.
#pragma once

#include <string>

namespace hsmops::test {

struct RealToken {
  std::string kind;  // softhsm, opencryptoki, tpm2, nss, p11-kit
  std::string uri;
  bool can_unplug = false;

  // Fails the test if there is none.
  static RealToken FromEnvironment();
  void Unplug() const;
  void Replug() const;
};

}  // namespace hsmops::test
