// A planned promotion by the real command, with a PKCS#11 call of the old Primary's token or of the
// target's failing, or ending that token's process: what is left has at most one writer, its exit
// code is true, and the same command again ends with one Primary, equal members and every value.
//
// Every second call fails and the others are fatal; under a sanitizer every fifth has either.
// KHSM_PROMOTION_STRIDE: every so many calls have each fault (with 1 every call has both);
// KHSM_PROMOTION_OFFSET: which of them (0).
#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <functional>

#include "test/crash/cluster_scene.h"
#include "test/crash/scene.h"

namespace hsmops::test {
namespace {

std::uint64_t FromEnvironment(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

class PromotionScene {
 public:
  PromotionScene() : scene_({"a", "b", "c"}) {
    scene_.Put("gone", "of no use");
    scene_.Delete("gone");
    scene_.Put("big", std::string(40'000, 'b'));
    scene_.Put("app", "kept");
    // b misses this one, so that the promotion has something to copy.
    scene_.token("b").Vanish();
    scene_.Put("late", "b lags");
    scene_.token("b").Return();
    scene_.Save();
    before_ = scene_.Look({});
    REQUIRE(before_.holder == "a");
  }

  // How many calls the token of this member sees in a promotion without faults.
  std::uint64_t Calls(const std::string& node) {
    scene_.Restore();
    REQUIRE(Promote().code == 0);
    return scene_.plan(node).calls();
  }

  void Run(const std::string& node, const std::string& fault, Tally& tally) {
    ++tally.runs;
    scene_.Restore();
    scene_.plan(node).Set(fault);
    const Ended first = Promote();
    if (!scene_.plan(node).fired().empty()) ++tally.fired;
    scene_.NoFaults();
    const auto violation = [&](const std::string& what) {
      ++tally.violations;
      const std::string text = "violation: " + node + " under " + fault + ", exit " +
                               std::to_string(first.code) + ": " + what + "\n" + first.err;
      MESSAGE(text);
    };
    const auto must = [&](const std::vector<std::string>& words) {
      const Ended ended = scene_.cluster().Hsm(words);
      if (ended.code != 0)
        violation(words[0] + " after it ended with " + std::to_string(ended.code) + ": " +
                  ended.err);
    };

    const ClusterLook left = scene_.Look({});
    if (const std::string wrong = Dishonest(first, left); !wrong.empty()) violation(wrong);
    if (left.Writers().size() > 1) violation("several writers");
    if (first.code != 0 && left.epoch > before_.epoch) ++unfinished_;

    must({"promote", "--to", "b"});
    must(scene_.PutWords("after", "written after"));
    auto values = scene_.values();
    values["after"] = "written after";
    ClusterLook look = scene_.Look(values);
    if (look.WhatIsWrong(values).find("differs") != std::string::npos) {
      must({"sync"});
      look = scene_.Look(values);
    }
    if (const std::string wrong = look.WhatIsWrong(values); !wrong.empty())
      violation("in the end " + wrong);
    if (look.holder != "b") violation("in the end the Primary is " + look.holder);
  }

  int unfinished() const { return unfinished_; }

 private:
  Ended Promote() { return scene_.cluster().Hsm({"promote", "--to", "b"}); }

  // What the exit code promises (docs/cli.md) and the cluster does not show; "" for the truth.
  std::string Dishonest(const Ended& ended, const ClusterLook& look) const {
    if (!look.trouble.empty()) return look.trouble;
    const bool unchanged =
        !look.promoting && look.holder == before_.holder && look.epoch == before_.epoch;
    switch (ended.code) {
      case 0:
        return look.promoting || look.holder != "b" ? "done, and it is not" : "";
      case 1:
        return unchanged ? "" : "failed, state unchanged, and it is changed";
      case 5:
        return unchanged ? "" : "refused, and something is begun";
      case 6:
        return ended.err.find("  operation local-promote-") == std::string::npos
                   ? "in doubt without the operation's name"
                   : "";
      default:
        return "an exit code that promote does not have";
    }
  }

  ClusterScene scene_;
  ClusterLook before_;
  int unfinished_ = 0;
};

}  // namespace

TEST_CASE(
    "crash: a planned promotion, calls of the old Primary's and of the target's token failing, and "
    "the calls between them fatal") {
  Tally tally;
  const auto start = std::chrono::steady_clock::now();
  const bool sanitized = std::getenv("HSMOPS_SANITIZED") != nullptr;
  const std::uint64_t stride = FromEnvironment("KHSM_PROMOTION_STRIDE", sanitized ? 5 : 2);
  const std::uint64_t offset = FromEnvironment("KHSM_PROMOTION_OFFSET", 0);
  std::atomic<int> unfinished{0};
  std::vector<std::function<void()>> tasks;
  for (const std::string node : {"a", "b"}) {
    for (const std::string mode : {"fail-after", "die-before"}) {
      tasks.push_back([&, node, mode] {
        PromotionScene scene;
        const std::uint64_t calls = scene.Calls(node);
        const std::uint64_t first = (offset + (mode == "fail-after" ? 0 : 1)) % stride;
        for (std::uint64_t k = 1 + first; k <= calls; k += stride)
          scene.Run(node, "call=" + std::to_string(k) + " mode=" + mode, tally);
        unfinished += scene.unfinished();
      });
    }
  }
  InLanes(std::move(tasks));
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - start);
  MESSAGE("promotion: ", tally.runs.load(), " runs, ", tally.fired.load(), " fired, ",
          unfinished.load(), " cut short past the fencing point, ", tally.violations.load(),
          " violations, ", seconds.count(), " s");
  CHECK(tally.violations == 0);
  CHECK(tally.fired + 8 >=
        tally.runs);  // the last calls are those of ending, and vary by one or two
  CHECK(unfinished > 0);
}

}  // namespace hsmops::test
