// A disk that is full, or fills up while a write is on its way: what was acknowledged stays, each
// refusal names the limit, and with room again the same command succeeds. On a tmpfs of the test's
// own, by the real command.
#include <doctest/doctest.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <functional>
#include <sstream>

#include "test/crash/cluster_scene.h"
#include "test/crash/scene.h"

namespace hsmops::test {
namespace {

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kReserve = 1024 * kKiB;  // token::kSoftHsm.min_free_bytes
constexpr int kBatch = 6;

struct Level {
  const char* name;
  std::uint64_t bytes;
};
constexpr Level kLevels[] = {
    {"nothing", 0},
    {"a page, so a head", 4 * kKiB},
    {"a part", 36 * kKiB},
    {"a whole secret", 160 * kKiB},
    {"the reserve less a part", kReserve - 36 * kKiB},
    {"the reserve less a page", kReserve - 4 * kKiB},
    {"the reserve", kReserve},
    {"the reserve and a head", kReserve + 4 * kKiB},
    {"the reserve and the parts without the head", kReserve + 104 * kKiB},
    {"the reserve and a whole secret", kReserve + 160 * kKiB},
};

class SmallDisk {
 public:
  SmallDisk() {
    REQUIRE_MESSAGE(mount("none", folder_.path().c_str(), "tmpfs", 0, "size=8m,mode=0700") == 0,
                    "mounting a tmpfs: ", std::strerror(errno),
                    "; run as root, or under `unshare --user --map-root-user --mount`");
  }
  ~SmallDisk() { umount2(folder_.path().c_str(), MNT_DETACH); }
  std::string operator/(const std::string& name) const { return folder_ / name; }
  void LeaveFree(std::uint64_t bytes) const {
    const fs::space_info space = fs::space(folder_.path());
    WriteText(folder_ / "filler",
              std::string(space.available > bytes ? space.available - bytes : 0, 'x'));
  }
  // Cut first: a command begun meanwhile by another lane may have inherited the open file, and a
  // removed file that is open still takes its room.
  void Empty() const {
    std::error_code missing;
    fs::resize_file(folder_ / "filler", 0, missing);
    fs::remove(folder_ / "filler");
  }

 private:
  TempFolder folder_;
};

enum class What { kSmall, kBig, kBatchFile };

// One member whose token, ledger and PIN latch are on a small disk.
class DiskScene {
 public:
  explicit DiskScene(What what) : scene_({"a"}) {
    if (what == What::kBatchFile) {
      std::string items;
      for (int i = 0; i < kBatch; ++i) {
        const std::string name = "b" + std::to_string(i);
        next_[name] = std::string(20'000, static_cast<char>('A' + i));
        items += std::string(i == 0 ? "" : ",") +
                 R"({"apiVersion":"v1","kind":"Secret","metadata":{"name":")" + name +
                 R"("},"stringData":{"k":")" + next_[name] + "\"}}";
      }
      WriteText(disk_ / "batch", R"({"apiVersion":"v1","kind":"List","items":[)" + items + "]}");
      words_ = {"put", "-f", disk_ / "batch"};
    } else {
      next_["app"] = what == What::kBig ? std::string(100'000, 'n') : "new";
      words_ = scene_.PutWords("app", next_["app"]);
    }
    WriteText(disk_ / "value", what == What::kSmall ? "new" : next_.begin()->second);
    if (what != What::kBatchFile) words_.back() = "k=" + (disk_ / "value");
    for (const auto& [name, value] : next_) scene_.Put(name, "old");
    WriteText(scene_.token("a").conf(), "directories.tokendir = " + (disk_ / "tokens") +
                                            "\nobjectstore.backend = file\nlog.level = ERROR\n");
    scene_.Save();
    Restore();
  }

  // False: no fault of the plan fired.
  bool Run(const std::string& how, const std::function<void(DiskScene&)>& fill, Tally& tally) {
    ++tally.runs;
    Restore();
    fill(*this);
    const Ended put = test::Run(scene_.cluster().Command(words_),
                                {.env = {{"KHSM_FAULT_FILL", disk_ / "filler"}}});
    const bool fired = !scene_.plan("a").fired().empty();
    scene_.NoFaults();
    disk_.Empty();
    const auto violation = [&](const std::string& what) {
      ++tally.violations;
      const std::string text = "violation: " + how + ", exit " + std::to_string(put.code) + ": " +
                               what + "\n" + put.out + put.err;
      MESSAGE(text);
    };
    int refused = 0;
    for (const std::string& line : Lines(put.err)) {
      if (!line.starts_with("error: ") && !line.starts_with("in doubt: ")) continue;
      ++refused;
      const bool named = line.find("bytes free for the token") != std::string::npos ||
                         line.find("are kept free") != std::string::npos ||
                         line.find("No space left on device") != std::string::npos;
      if (!named) violation("it does not name the limit");
    }
    if (refused > 0) ++tally.fired;
    if ((put.code == 0) != (refused == 0)) violation("exit code and errors differ");
    const ClusterLook look = scene_.Look(next_);
    for (const auto& [name, value] : next_) {
      const std::string& seen = look.members.at("a").values.at(name);
      const bool acknowledged = put.out.find(name + " written, version") != std::string::npos;
      const bool unchanged = put.code == 1 || put.code == 5;
      if (acknowledged ? seen != value : seen != "old" && (unchanged || seen != value))
        violation(name + (acknowledged ? " acknowledged" : "") + ", then " + seen.substr(0, 20));
    }
    if (const Ended again = scene_.cluster().Hsm(words_); again.code != 0)
      violation("with room again: " + again.err);
    if (const std::string wrong = scene_.Look(next_).WhatIsWrong(next_); !wrong.empty())
      violation("in the end " + wrong);
    return fired;
  }

  // The command's exit code with so much left.
  int DeleteWith(std::uint64_t left, const std::string& name) {
    Restore();
    disk_.LeaveFree(left);
    const Ended ended = scene_.cluster().Hsm({"delete", name, "--yes"});
    disk_.Empty();
    const std::string seen = scene_.Look(next_).members.at("a").values.at(name);
    CAPTURE(left);
    CAPTURE(ended.err);
    CHECK(seen == (ended.code == 0 ? "absent" : "old"));
    return ended.code;
  }

  SmallDisk& disk() { return disk_; }
  FaultPlan& plan() { return scene_.plan("a"); }

 private:
  void Restore() {
    disk_.Empty();
    scene_.Restore();
    const std::string states = scene_.cluster().folder() + "/.members";
    fs::remove_all(disk_ / "members");
    fs::copy(states, disk_ / "members", fs::copy_options::recursive);
    fs::remove_all(states);
    fs::create_directory_symlink(disk_ / "members", states);
    fs::remove_all(disk_ / "tokens");
    fs::copy(scene_.token("a").tokens_folder(), disk_ / "tokens", fs::copy_options::recursive);
  }

  SmallDisk disk_;
  ClusterScene scene_;
  std::vector<std::string> words_;
  std::map<std::string, std::string> next_;  // what the command writes
};

}  // namespace

TEST_CASE(
    "disk: full to ten levels, or filling up at each create, nothing acknowledged is lost and "
    "refusals name the limit") {
  Tally tally;
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::function<void()>> tasks;
  for (const What what : {What::kBatchFile, What::kBig, What::kSmall}) {
    tasks.push_back([&, what] {
      DiskScene scene(what);
      const std::string name = what == What::kSmall ? "one object, "
                               : what == What::kBig ? "four parts, "
                                                    : "a batch, ";
      for (const Level& level : kLevels) {
        (void)scene.Run(
            name + "left is " + level.name, [&](DiskScene& s) { s.disk().LeaveFree(level.bytes); },
            tally);
      }
      // SoftHSM says CKR_OK to a create that the disk had no room for.
      for (const std::uint64_t leave : {std::uint64_t{0}, 4 * kKiB, 24 * kKiB, 36 * kKiB}) {
        for (int k = 1;; ++k) {
          const std::string plan =
              "call=" + std::to_string(k) +
              " mode=fill function=C_CreateObject times=0 arg=" + std::to_string(leave);
          if (!scene.Run(name + plan, [&](DiskScene& s) { s.plan().Set(plan); }, tally)) break;
        }
      }
    });
  }
  InLanes(std::move(tasks));
  MESSAGE("disk: ", tally.runs.load(), " runs, ", tally.fired.load(),
          " not acknowledged as a whole, ", tally.violations.load(), " violations, ",
          std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - start)
              .count(),
          " s");
  CHECK(tally.violations == 0);
  CHECK(tally.fired > 30);
}

TEST_CASE("disk: half of what is kept free is for deletions") {
  DiskScene scene(What::kSmall);
  CHECK(scene.DeleteWith(kReserve, "app") == 0);
  CHECK(scene.DeleteWith(kReserve / 4 * 3, "app") == 0);
  CHECK(scene.DeleteWith(kReserve / 2 - 4 * kKiB, "app") == 5);
  CHECK(scene.DeleteWith(0, "app") == 1);
}

}  // namespace hsmops::test
