// A PKCS#11 call that never comes back: the watchdog ends the token's process, whoever asked is
// told in time, and the next command works. Times are a command's --timeout; the test waits for
// them, since they are its point.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <functional>

#include "test/crash/cluster_scene.h"
#include "test/crash/scene.h"

namespace hsmops::test {
namespace {

using Steady = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kTimeout{1000};
// Above it: starting and ending processes, on a machine that has more to do.
constexpr std::chrono::milliseconds kALittle{5000};

struct Timed {
  Ended ended;
  std::chrono::milliseconds took;
};

Timed InTime(const LocalCluster& cluster, std::vector<std::string> words) {
  words.insert(words.end(), {"--timeout", std::to_string(kTimeout.count()) + "ms"});
  const auto begin = Steady::now();
  Timed timed{cluster.Hsm(std::move(words)), {}};
  timed.took = std::chrono::duration_cast<std::chrono::milliseconds>(Steady::now() - begin);
  return timed;
}

// "in doubt: …\n  the same command with --op-id ID settles it"
std::string OpIdIn(const std::string& err) {
  const std::string before = "--op-id ";
  const std::size_t at = err.find(before);
  return at == std::string::npos ? "" : err.substr(at + before.size(), 36);
}

}  // namespace

TEST_CASE(
    "hang: health says in time which token hangs, and when it does not any more it is healthy") {
  ClusterScene scene({"a", "b"});
  scene.Put("app", "kept");
  for (const std::string node : {"a", "b"}) {
    CAPTURE(node);
    scene.plan(node).Set("call=1 mode=hang function=C_FindObjects times=0");
    const Timed sick = InTime(scene.cluster(), {"health", "--fail-on", "degraded"});
    CHECK(sick.ended.code == 3);
    CHECK_MESSAGE(sick.ended.out.find("Hung: C_FindObjects did not return") != std::string::npos,
                  sick.ended.out);
    CHECK(sick.took < kTimeout + kALittle);
    CHECK(scene.plan(node).fired().size() == 1);  // it is not asked again by the same command
    scene.NoFaults();
    CHECK(InTime(scene.cluster(), {"health", "--fail-on", "degraded"}).ended.code == 0);
  }
  CHECK(scene.Look(scene.values()).WhatIsWrong(scene.values()).empty());
}

TEST_CASE(
    "hang: a mirror that hangs leaves the sync set, and the write is acknowledged without it") {
  ClusterScene scene({"a", "b", "c"});
  scene.Put("app", "kept");
  scene.plan("c").Set("call=1 mode=hang function=C_FindObjects times=0");
  const Timed put = InTime(scene.cluster(), scene.PutWords("app", "without c"));
  CHECK_MESSAGE(put.ended.code == 0, put.ended.err);
  CHECK_MESSAGE(
      put.ended.err.find("c is out of the sync set: unreachable: Hung") != std::string::npos,
      put.ended.err);
  CHECK(put.took < kTimeout + kALittle);
  CHECK(scene.plan("c").fired().size() == 1);  // it is not asked again by the same command
  scene.NoFaults();
  scene.Must({"sync"});
  const std::map<std::string, std::string> values{{"app", "without c"}};
  CHECK(scene.Look(values).WhatIsWrong(values).empty());
}

TEST_CASE(
    "hang: a write whose Primary hangs at any call is refused or in doubt, in time, and its opId "
    "settles it") {
  Tally tally;
  std::atomic<int> refused{0};
  std::atomic<int> in_doubt{0};
  std::atomic<int> done{0};
  std::atomic<std::int64_t> longest{0};
  const auto start = Steady::now();
  std::vector<std::function<void()>> tasks;
  constexpr std::size_t kLanes = 4;  // a run mostly waits for the watchdog
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    tasks.push_back([&, lane] {
      ClusterScene scene({"a", "b"});
      scene.Put("app", "old");
      scene.Save();
      scene.Restore();
      REQUIRE(scene.cluster().Hsm(scene.PutWords("app", "new")).code == 0);
      std::vector<std::string> faults;
      for (std::uint64_t k = 1; k <= scene.plan("a").calls(); ++k)
        faults.push_back("call=" + std::to_string(k) + " mode=hang times=0");
      for (std::uint64_t k = 1; k <= scene.plan("a").calls("C_CreateObject"); ++k)
        faults.push_back("call=" + std::to_string(k) +
                         " mode=hang-after function=C_CreateObject times=0");
      for (std::size_t at = lane; at < faults.size(); at += kLanes) {
        ++tally.runs;
        scene.Restore();
        scene.plan("a").Set(faults[at]);
        const Timed put = InTime(scene.cluster(), scene.PutWords("app", "new"));
        const std::size_t fired = scene.plan("a").fired().size();
        if (fired > 0) ++tally.fired;
        scene.NoFaults();
        std::int64_t seen = longest;
        while (put.took.count() > seen && !longest.compare_exchange_weak(seen, put.took.count())) {
        }
        const auto violation = [&](const std::string& what) {
          ++tally.violations;
          const std::string text =
              "violation: " + faults[at] + ", exit " + std::to_string(put.ended.code) + " after " +
              std::to_string(put.took.count()) + " ms: " + what + "\n" + put.ended.err;
          MESSAGE(text);
        };
        if (fired > 1) violation("the token was asked again");
        if (put.took > kTimeout + kALittle) violation("it took too long");
        const std::string app = scene.Look({{"app", ""}}).members.at("a").values.at("app");
        if (put.ended.code == 0) {
          ++done;
          if (app != "new") violation("acknowledged, and then " + app);
        } else if (put.ended.code == 1) {
          ++refused;
          if (app != "old") violation("failed, state unchanged, and then " + app);
        } else if (put.ended.code == 6) {
          ++in_doubt;
          const std::string op_id = OpIdIn(put.ended.err);
          if (op_id.size() != 36) violation("in doubt without an operation id");
          auto again = scene.PutWords("app", "new");
          again.insert(again.end(), {"--op-id", op_id});
          const Ended settled = scene.cluster().Hsm(again);
          if (settled.code != 0) violation("not settled: " + settled.err);
        } else {
          violation("an exit code that this is not");
        }
        if (const Ended next = scene.cluster().Hsm(scene.PutWords("app", "next")); next.code != 0)
          violation("the next put: " + next.err);
        const std::map<std::string, std::string> values{{"app", "next"}};
        if (const std::string wrong = scene.Look(values).WhatIsWrong(values); !wrong.empty())
          violation("in the end " + wrong);
      }
    });
  }
  std::vector<std::thread> lanes;
  for (auto& task : tasks) lanes.emplace_back(task);
  for (std::thread& lane : lanes) lane.join();
  MESSAGE("hangs: ", tally.runs.load(), " runs, ", tally.fired.load(), " fired, ", refused.load(),
          " refused, ", in_doubt.load(), " in doubt, ", done.load(), " acknowledged before it, ",
          tally.violations.load(), " violations, the longest ", longest.load(), " ms, ",
          std::chrono::duration_cast<std::chrono::seconds>(Steady::now() - start).count(), " s");
  CHECK(tally.violations == 0);
  CHECK(tally.fired == tally.runs);
  CHECK(refused > 0);
  CHECK(in_doubt > 0);
}

}  // namespace hsmops::test
