// Who holds what, asked of as few as can say it.
#include "libhsmops/manager/coverage.h"

#include <doctest/doctest.h>

#include "test/unit/manager/managed_pool.h"

namespace hsmops::manager {
namespace {

// "app: a=InSync b=InSync", a line for each secret.
std::string Lines(const CoverageReport& report) {
  std::string lines;
  for (const SecretCoverage& secret : report.secrets) {
    lines += secret.name + ":";
    for (const HeldBy& held : secret.devices)
      lines += " " + held.node + "=" + std::string(Name(held.holding));
    lines += "\n";
  }
  return lines;
}

}  // namespace

TEST_CASE("coverage: mirrors that are equal, one that lags, one that does not answer") {
  ManagedPool w({"a", "b", "c"});
  REQUIRE(w.Put("a", "app", "1").ok());
  CHECK(Lines(Cover(*w.pool.Open())) == "app: a=InSync b=InSync c=InSync\n");
  w.pool.Reach("c", Reached::kNo);
  CHECK(Lines(Cover(*w.pool.Open())) == "app: a=InSync b=InSync c=Unknown\n");
  w.Turns(8);  // c leaves the sync set
  REQUIRE(w.Put("a", "app", "2").ok());
  REQUIRE(w.Put("a", "db", "1").ok());
  w.pool.Reach("c", Reached::kYes);
  CHECK(Lines(Cover(*w.pool.Open())) ==
        "app: a=InSync b=InSync c=Older\ndb: a=InSync b=InSync c=Missing\n");
  w.pool.Reach("a", Reached::kNo);
  const CoverageReport without = Cover(*w.pool.Open());
  CHECK_FALSE(without.primary_known);
  CHECK(Lines(without) == "app: a=Unknown b=InSync c=Older\ndb: a=Unknown b=InSync c=Missing\n");
}

TEST_CASE("coverage: what is written between two questions is held by whoever has it") {
  ManagedPool w({"a", "b"});
  REQUIRE(w.Put("a", "app", "1").ok());
  w.pool.Before(agent::Verb::kReadInventory, [&] { REQUIRE(w.Put("a", "db", "1").ok()); });
  CHECK(Lines(Cover(*w.pool.Open())) == "app: a=InSync b=InSync\ndb: a=InSync b=InSync\n");
}

TEST_CASE("coverage: a mirror that was equal and misses what is written meanwhile is not equal") {
  ManagedPool w({"a", "b"});
  REQUIRE(w.Put("a", "app", "1").ok());
  w.pool.Before(agent::Verb::kReadInventory, [&] {
    w.pool.SetApart(true);
    (void)w.Put("a", "db", "1");  // on the Primary's token, confirmed by nobody
  });
  CHECK(Lines(Cover(*w.pool.Open())) == "app: a=InSync b=InSync\ndb: a=InSync b=Missing\n");
}

TEST_CASE("coverage: what was set aside is told, also of a mirror that is equal") {
  ManagedPool w({"a", "b"});
  REQUIRE(w.Put("a", "app", "1").ok());
  w.pool.Reach("b", Reached::kNo);
  w.Turns(8);
  REQUIRE(w.Put("a", "app", "alone").ok());
  w.pool.Reach("a", Reached::kNo);
  w.pool.Reach("b", Reached::kYes);
  REQUIRE(w.ForceTo("b").ok());
  w.pool.Reach("a", Reached::kYes);
  w.Turns(12);
  const CoverageReport report = Cover(*w.pool.Open());
  CHECK(Lines(report) == "app: a=InSync b=InSync\n");
  CHECK(report.quarantine.contains("a"));
}

}  // namespace hsmops::manager
