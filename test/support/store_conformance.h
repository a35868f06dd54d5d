// One suite for every ResourceStore: what is promised by resource_store.h, whatever keeps it.
//
// A World gives a store (`first`), and more views of the same state, as other processes would have
// them (`another`); in a new World nothing of ours is stored. A test brings one along and says
// HSMOPS_STORE_CONFORMANCE(World...) in this namespace.
#pragma once

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include "libhsmops/base/executor.h"
#include "libhsmops/cluster/typed_store.h"

namespace hsmops::cluster::conformance {

using base::ErrorCode;

constexpr std::string_view kNs = "hsm-system";

inline HSMDevice Device(std::string name) {
  HSMDevice device;
  device.metadata.name = std::move(name);
  device.metadata.ns = kNs;
  device.spec.mirroring.emplace().target_nodes = {"worker-1", "worker-2"};
  return device;
}

template <typename T>
T Must(base::Result<T> result) {
  if (!result.ok()) FAIL(result.error().message());
  return *std::move(result);
}

inline base::TimePoint Soon(base::Clock& clock) { return clock.Now() + std::chrono::seconds(20); }

inline Change MustSee(Watch& watch, base::Clock& clock) {
  auto change = Must(watch.Next(Soon(clock)));
  REQUIRE(change.has_value());
  return *std::move(change);
}

TEST_CASE_TEMPLATE_DEFINE("an object is created once, read, and listed by namespace", World,
                          store_creates) {
  World world;
  ResourceStore& store = world.first();
  CHECK(Load<HSMDevice>(store, kNs, "payments").Is(ErrorCode::kNotFound));
  const HSMDevice made = Must(CreateNew(store, Device("payments")));
  CHECK_FALSE(made.metadata.uid.empty());
  CHECK_FALSE(made.metadata.resource_version.empty());
  CHECK(made.metadata.generation == 1);
  CHECK(made.metadata.creation_timestamp.has_value());
  CHECK(CreateNew(store, Device("payments")).Is(ErrorCode::kConflict));
  CHECK(Must(Load<HSMDevice>(world.another(), kNs, "payments")) == made);
  HSMDevice elsewhere = Device("payments");
  elsewhere.metadata.ns = "other";
  world.MakeNamespace("other");
  (void)Must(CreateNew(store, elsewhere));
  (void)Must(CreateNew(store, Device("keys")));
  CHECK(Must(LoadAll<HSMDevice>(store, "")).items.size() == 3);
  const auto listed = Must(LoadAll<HSMDevice>(store, kNs));
  REQUIRE(listed.items.size() == 2);
  CHECK(listed.items[0].metadata.name == "keys");
  CHECK(Must(LoadAll<HSMSecret>(store, "")).items.empty());
}

TEST_CASE_TEMPLATE_DEFINE("an update swaps only the version that it names", World, store_updates) {
  World world;
  ResourceStore& store = world.first();
  const HSMDevice first = Must(CreateNew(store, Device("payments")));
  HSMDevice second = first;
  second.spec.max_devices = 5;
  const HSMDevice saved = Must(Save(store, second));
  CHECK(saved.spec.max_devices == 5);
  CHECK(saved.metadata.uid == first.metadata.uid);
  CHECK(saved.metadata.resource_version != first.metadata.resource_version);
  CHECK(Save(world.another(), second).Is(ErrorCode::kConflict));
  HSMDevice unversioned = saved;
  unversioned.metadata.resource_version.clear();
  CHECK(Save(store, unversioned).Is(ErrorCode::kInvalid));
  HSMDevice absent = saved;
  absent.metadata.name = "absent";
  CHECK(Save(store, absent).Is(ErrorCode::kNotFound));
}

TEST_CASE_TEMPLATE_DEFINE("the same content again is a new version: none ever comes back", World,
                          store_versions) {
  World world;
  ResourceStore& store = world.first();
  HSMDevice device = Must(CreateNew(store, Device("payments")));
  std::set<std::string> seen = {device.metadata.resource_version};
  for (int i = 0; i < 4; ++i) {
    device.spec.max_devices = 5 + i % 2;
    device = Must(Save(store, device));
    CHECK(seen.insert(device.metadata.resource_version).second);
    device.status.lease_holder = i % 2 == 0 ? "a" : "b";
    device = Must(SaveStatus(store, device));
    CHECK(seen.insert(device.metadata.resource_version).second);
  }
  REQUIRE(store.Delete(Kind::kHsmDevice, kNs, "payments", std::nullopt).ok());
  CHECK(seen.insert(Must(CreateNew(store, Device("payments"))).metadata.resource_version).second);
}

TEST_CASE_TEMPLATE_DEFINE("status and spec are written apart, and the generation counts specs",
                          World, store_status) {
  World world;
  ResourceStore& store = world.first();
  HSMDevice device = Device("payments");
  device.status.primary_node = "dropped";
  device = Must(CreateNew(store, device));
  CHECK(device.status.primary_node.empty());
  device.status.primary_node = "worker-1";
  device.status.observed_generation = device.metadata.generation;
  device.spec.max_devices = 7;  // ignored by a write of the status
  device = Must(SaveStatus(store, device));
  CHECK(device.status.primary_node == "worker-1");
  CHECK(device.spec.max_devices == 10);
  CHECK(device.metadata.generation == 1);
  device.spec.max_devices = 7;
  device.status.primary_node = "worker-2";  // ignored by a write of the spec
  device = Must(Save(store, device));
  CHECK(device.spec.max_devices == 7);
  CHECK(device.status.primary_node == "worker-1");
  CHECK(device.metadata.generation > device.status.observed_generation);
  Lease lease;
  lease.metadata.name = "manager";
  lease = Must(CreateNew(store, lease));
  CHECK(SaveStatus(store, lease).Is(ErrorCode::kInvalid));
}

TEST_CASE_TEMPLATE_DEFINE("a deletion may name a version, and takes the status with it", World,
                          store_deletes) {
  World world;
  ResourceStore& store = world.first();
  HSMDevice device = Must(CreateNew(store, Device("payments")));
  device.status.primary_node = "worker-1";
  const std::string old = device.metadata.resource_version;
  device = Must(SaveStatus(store, device));
  CHECK(store.Delete(Kind::kHsmDevice, kNs, "payments", old).Is(ErrorCode::kConflict));
  CHECK(store.Delete(Kind::kHsmDevice, kNs, "payments", device.metadata.resource_version).ok());
  CHECK(store.Delete(Kind::kHsmDevice, kNs, "payments", std::nullopt).Is(ErrorCode::kNotFound));
  const HSMDevice again = Must(CreateNew(store, Device("payments")));
  CHECK(again.status == HSMDeviceStatus{});
  CHECK(again.metadata.uid != device.metadata.uid);
}

TEST_CASE_TEMPLATE_DEFINE("of many that swap at once, exactly one wins each version", World,
                          store_swaps) {
  World world;
  Lease lease;
  lease.metadata.name = "counter";
  lease.spec.lease_transitions = 0;
  (void)Must(CreateNew(world.first(), lease));
  constexpr int kWriters = 4;
  constexpr int kWins = 10;
  std::atomic<int> conflicts{0};
  std::atomic<int> failures{0};
  std::vector<base::Executor::Task> tasks;
  std::vector<ResourceStore*> views = {&world.first(), &world.another(), &world.another()};
  for (int writer = 0; writer < kWriters; ++writer) {
    ResourceStore* const store =
        views[static_cast<std::size_t>(writer) % views.size()];  // two share one
    tasks.push_back([store, &conflicts, &failures] {
      for (int wins = 0; wins < kWins;) {
        auto mine = Load<Lease>(*store, kDefaultNamespace, "counter");
        if (!mine.ok()) {
          ++failures;
          return;
        }
        ++*mine->spec.lease_transitions;
        const auto saved = Save(*store, *mine);
        if (saved.ok()) {
          ++wins;
        } else if (saved.Is(ErrorCode::kConflict)) {
          ++conflicts;
        } else {
          ++failures;
          return;
        }
      }
    });
  }
  base::ThreadExecutor().RunAll(std::move(tasks));
  CHECK(failures == 0);
  CHECK(Must(Load<Lease>(world.first(), kDefaultNamespace, "counter")).spec.lease_transitions ==
        kWriters * kWins);
}

TEST_CASE_TEMPLATE_DEFINE("a watch tells what is there, then each change by another", World,
                          store_watches) {
  World world;
  ResourceStore& other = world.another();
  (void)Must(CreateNew(other, Device("old")));
  auto watch = Must(world.first().OpenWatch(Kind::kHsmDevice, kNs, ""));
  Change change = MustSee(*watch, world.clock);
  CHECK(change.type == ChangeType::kAdded);
  CHECK(change.object->key().name == "old");
  CHECK_FALSE(Must(watch->Next(world.clock.Now())).has_value());

  HSMDevice device = Must(CreateNew(other, Device("new")));
  change = MustSee(*watch, world.clock);
  CHECK(change.type == ChangeType::kAdded);
  CHECK(change.object->version() == device.metadata.resource_version);

  device.status.primary_node = "worker-1";
  device = Must(SaveStatus(other, device));
  change = MustSee(*watch, world.clock);
  CHECK(change.type == ChangeType::kModified);
  CHECK(change.object->version() == device.metadata.resource_version);

  REQUIRE(other.Delete(Kind::kHsmDevice, kNs, "new", std::nullopt).ok());
  change = MustSee(*watch, world.clock);
  CHECK(change.type == ChangeType::kDeleted);
  CHECK(change.object->key().name == "new");
}

TEST_CASE_TEMPLATE_DEFINE("a watch waits until something happens, and can be stopped", World,
                          store_waits) {
  World world;
  auto watch = Must(world.first().OpenWatch(Kind::kHsmDevice, kNs, ""));
  CHECK_FALSE(Must(watch->Next(world.clock.Now())).has_value());
  ResourceStore& other = world.another();
  std::thread writer([&] { (void)CreateNew(other, Device("late")); });
  const Change change = MustSee(*watch, world.clock);
  writer.join();
  CHECK(change.object->key().name == "late");
  std::thread stopper([&] { watch->Stop(); });
  CHECK_FALSE(Must(watch->Next(Soon(world.clock))).has_value());
  stopper.join();
  CHECK_FALSE(Must(watch->Next(Soon(world.clock))).has_value());
}

TEST_CASE_TEMPLATE_DEFINE("a watch resumes from a list, or says that it cannot", World,
                          store_resumes) {
  World world;
  ResourceStore& store = world.first();
  (void)Must(CreateNew(store, Device("one")));
  const std::string version = Must(store.List(Kind::kHsmDevice, kNs)).version;
  auto in_time = Must(store.OpenWatch(Kind::kHsmDevice, kNs, version));
  (void)Must(CreateNew(store, Device("two")));
  CHECK(MustSee(*in_time, world.clock).object->key().name == "two");
  auto late = Must(store.OpenWatch(Kind::kHsmDevice, kNs, version));
  const Change change = MustSee(*late, world.clock);
  CHECK((change.type == ChangeType::kResync || change.object->key().name == "two"));
}

TEST_CASE_TEMPLATE_DEFINE("names that break the rules never reach the store", World, store_names) {
  World world;
  for (const char* const name : {"../up", "a/b", "", "UPPER", ".hidden", "a..b", "-a"}) {
    CAPTURE(name);
    CHECK(CreateNew(world.first(), Device(name)).Is(ErrorCode::kInvalid));
    CHECK(Load<HSMDevice>(world.first(), kNs, name).Is(ErrorCode::kNotFound));
  }
  const std::string longest(253, 'a');
  HSMDevice device = Device(longest);
  device.metadata.ns = std::string(63, 'n');
  world.MakeNamespace(device.metadata.ns);
  device = Must(CreateNew(world.first(), device));
  device.status.primary_node = "x";
  CHECK(SaveStatus(world.another(), device).ok());
  device.metadata.name.back() = 'b';
  CHECK(CreateNew(world.first(), device).ok());
  CHECK(Must(LoadAll<HSMDevice>(world.first(), "")).items.size() == 2);
}

#define HSMOPS_STORE_CONFORMANCE(...)                     \
  TEST_CASE_TEMPLATE_INVOKE(store_creates, __VA_ARGS__);  \
  TEST_CASE_TEMPLATE_INVOKE(store_updates, __VA_ARGS__);  \
  TEST_CASE_TEMPLATE_INVOKE(store_versions, __VA_ARGS__); \
  TEST_CASE_TEMPLATE_INVOKE(store_status, __VA_ARGS__);   \
  TEST_CASE_TEMPLATE_INVOKE(store_deletes, __VA_ARGS__);  \
  TEST_CASE_TEMPLATE_INVOKE(store_swaps, __VA_ARGS__);    \
  TEST_CASE_TEMPLATE_INVOKE(store_watches, __VA_ARGS__);  \
  TEST_CASE_TEMPLATE_INVOKE(store_waits, __VA_ARGS__);    \
  TEST_CASE_TEMPLATE_INVOKE(store_resumes, __VA_ARGS__);  \
  TEST_CASE_TEMPLATE_INVOKE(store_names, __VA_ARGS__)

}  // namespace hsmops::cluster::conformance
