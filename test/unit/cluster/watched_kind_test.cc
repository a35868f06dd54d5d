#include "libhsmops/cluster/watched_kind.h"

#include <doctest/doctest.h>

#include <atomic>
#include <nlohmann/json.hpp>

#include "libhsmops/cluster/memory_resource_store.h"

namespace hsmops::cluster {
namespace {

Object DeviceNamed(const std::string& name) {
  auto object = Object::From({{"apiVersion", "hsm.j5t.io/v1alpha1"},
                              {"kind", "HSMDevice"},
                              {"metadata", {{"name", name}, {"namespace", "x"}}},
                              {"spec", nlohmann::json::object()}});
  REQUIRE(object.ok());
  return *std::move(object);
}

}  // namespace

TEST_CASE("a watched kind knows what comes, changes and goes") {
  base::SystemClock clock;
  base::SystemRng rng;
  MemoryResourceStore store(clock, rng);
  REQUIRE(store.Create(DeviceNamed("before")).ok());
  std::atomic<int> told{0};
  WatchedKind watched(store, clock, Kind::kHsmDevice, "x", [&](const auto&) { ++told; });
  const auto becomes = [&](std::size_t count) {
    const base::TimePoint until = clock.Now() + std::chrono::seconds(10);
    while (clock.Now() < until) {
      const auto listed = watched.List();
      if (listed.ok() && listed->size() == count) return true;
      clock.SleepFor(std::chrono::milliseconds(2));
    }
    return false;
  };
  CHECK(watched.WaitKnown(clock.Now() + std::chrono::seconds(10)).ok());
  CHECK(becomes(1));
  REQUIRE(store.Create(DeviceNamed("after")).ok());
  CHECK(becomes(2));
  REQUIRE(store.Delete(Kind::kHsmDevice, "x", "before", std::nullopt).ok());
  CHECK(becomes(1));
  CHECK(watched.Find("x", "after")->has_value());
  CHECK_FALSE(watched.Find("x", "before")->has_value());
  CHECK(told >= 3);
}

}  // namespace hsmops::cluster
