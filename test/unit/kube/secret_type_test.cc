// The keys that a Secret of a known type has to have.
#include "libhsmops/kube/secret_type.h"

#include <doctest/doctest.h>

namespace hsmops::kube {
namespace {

std::vector<std::string> Missing(const std::string& type, const std::vector<std::string>& keys) {
  store::Keys held;
  for (const std::string& key : keys) held.emplace(key, base::SecretBytes::FromText("v"));
  return MissingKeys(type, held);
}

}  // namespace

TEST_CASE("what a Secret of its type lacks is named") {
  const std::vector<std::string> none;
  CHECK(Missing("kubernetes.io/tls", {"tls.crt"}) == std::vector<std::string>{"tls.key"});
  CHECK(Missing("kubernetes.io/tls", {"tls.crt", "tls.key", "ca.crt"}) == none);
  CHECK(Missing("kubernetes.io/basic-auth", {"user"}) ==
        std::vector<std::string>{"username or password"});
  CHECK(Missing("kubernetes.io/basic-auth", {"password"}) == none);
  CHECK(Missing("kubernetes.io/ssh-auth", {}) == std::vector<std::string>{"ssh-privatekey"});
  CHECK(Missing("Opaque", {}) == none);
  CHECK(Missing("example.org/own", {}) == none);
}

}  // namespace hsmops::kube
