#include "libhsmops/cluster/watching_store.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "libhsmops/cluster/memory_resource_store.h"

namespace hsmops::cluster {
namespace {

using nlohmann::json;

Object DeviceOf(const std::string& note, const std::string& version = "") {
  json document{{"apiVersion", "hsm.j5t.io/v1alpha1"},
                {"kind", "HSMDevice"},
                {"metadata", {{"name", "d"}, {"namespace", "x"}}},
                {"spec", {{"note", note}}},
                {"status", {{"note", note}}}};
  if (!version.empty()) document["metadata"]["resourceVersion"] = version;
  auto object = Object::From(std::move(document));
  REQUIRE(object.ok());
  return *std::move(object);
}

// What it counts is asked of the store itself.
class Counting : public MemoryResourceStore {
 public:
  using MemoryResourceStore::MemoryResourceStore;
  base::Result<Object> Get(Kind kind, std::string_view ns, std::string_view name) override {
    ++asked;
    return MemoryResourceStore::Get(kind, ns, name);
  }
  std::atomic<int> asked{0};
};

std::string NoteOf(const Object& object) { return object.document().at("spec").at("note"); }

struct Scene {
  base::SystemClock clock;
  base::SystemRng rng;
  Counting inner{clock, rng};
  WatchingStore store{inner, clock, "x", {Kind::kHsmDevice}, [](const Object& object) {
                        json shown = object.document();
                        shown["metadata"]["resourceVersion"] = object.version() + "~shown";
                        return *Object::From(std::move(shown));
                      }};

  // Until reads are answered without the store.
  bool BecomesQuiet() {
    const base::TimePoint until = clock.Now() + std::chrono::seconds(10);
    while (clock.Now() < until) {
      const int before = inner.asked;
      (void)store.Get(Kind::kHsmDevice, "x", "d");
      if (inner.asked == before) return true;
      clock.SleepFor(std::chrono::milliseconds(2));
    }
    return false;
  }
};

}  // namespace

TEST_CASE("a watching store answers reads by itself, and writes go through") {
  Scene scene;
  REQUIRE(scene.store.Create(DeviceOf("one")).ok());
  // What was written here is read at once, whether the watch has told of it or not.
  auto read = scene.store.Get(Kind::kHsmDevice, "x", "d");
  REQUIRE(read.ok());
  CHECK(NoteOf(*read) == "one");
  CHECK(read->version().ends_with("~shown"));
  CHECK(scene.BecomesQuiet());
  const auto updated = scene.store.Update(DeviceOf("two"), read->version());
  REQUIRE(updated.ok());
  CHECK(NoteOf(*scene.store.Get(Kind::kHsmDevice, "x", "d")) == "two");
  CHECK(scene.store.Update(DeviceOf("three"), read->version()).Is(base::ErrorCode::kConflict));
  REQUIRE(scene.store.UpdateStatus(DeviceOf("four"), updated->version()).ok());
  CHECK(scene.BecomesQuiet());
  CHECK(scene.store.List(Kind::kHsmDevice, "x")->items.size() == 1);
  CHECK(scene.store.Delete(Kind::kHsmDevice, "x", "d", std::nullopt).ok());
  CHECK(scene.store.Get(Kind::kHsmDevice, "x", "d").Is(base::ErrorCode::kNotFound));
  CHECK(scene.store.List(Kind::kHsmDevice, "x")->items.empty());
}

TEST_CASE("a write that others made is seen after a conflict, however slow the watch is") {
  Scene scene;
  const auto made = scene.store.Create(DeviceOf("one"));
  REQUIRE(made.ok());
  CHECK(scene.BecomesQuiet());
  const auto other = scene.inner.Get(Kind::kHsmDevice, "x", "d");
  REQUIRE(scene.inner.Update(DeviceOf("theirs"), other->version()).ok());
  REQUIRE(scene.store.Update(DeviceOf("ours"), made->version()).Is(base::ErrorCode::kConflict));
  CHECK(NoteOf(*scene.store.Get(Kind::kHsmDevice, "x", "d")) == "theirs");
}

}  // namespace hsmops::cluster
