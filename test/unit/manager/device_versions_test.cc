#include "libhsmops/manager/device_versions.h"

#include <doctest/doctest.h>

#include "test/unit/manager/managed_pool.h"

namespace hsmops::manager {

TEST_CASE("a secret in the older layout is not taken for none") {
  SmallPool pool({"a", "b"});
  pool.token("a").Plant("hsm-secrets-operator", "db/_metadata", base::AsBytes("{}"));
  pool.token("a").Plant("hsm-secrets-operator", "db/k", base::AsBytes("old"));
  REQUIRE(pool.member("a").Verify().ok());
  DeviceVersions versions(pool.world(), "default", "d");
  (void)versions.Refresh();
  CHECK(versions.Of("db").state == HeldVersion::State::kUnknown);
  CHECK(versions.Of("other").state == HeldVersion::State::kAbsent);
}

TEST_CASE("a secret that nobody can read any more is not taken for none") {
  ManagedPool world({"a", "b"});
  REQUIRE(world.Put("a", "db", "v").ok());
  DeviceVersions versions(world.pool.world(), "default", "d");
  (void)versions.Refresh();
  CHECK(versions.Of("db").state == HeldVersion::State::kPresent);
  for (const std::string& label : world.pool.token("a").Labels()) {
    if (label.starts_with("k1.h.")) world.pool.token("a").Corrupt(label, 0);
  }
  (void)world.pool.member("a").Verify();
  CHECK(versions.Refresh().all);
  CHECK(versions.Of("db").state == HeldVersion::State::kUnknown);
  DeviceVersions fresh(world.pool.world(), "default", "d");
  (void)fresh.Refresh();
  CHECK(fresh.Of("db").state == HeldVersion::State::kUnknown);
}

}  // namespace hsmops::manager
