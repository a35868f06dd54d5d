// Found by review: what a command says and how long it takes when a token cannot be opened, or when
// what its process waits for is no PKCS#11 call.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "test/regress/regress_scene.h"

namespace hsmops::test {
namespace {

namespace fs = std::filesystem;
using Steady = std::chrono::steady_clock;

// Above what a command may take: starting and ending processes, on a machine that has more to do.
constexpr std::chrono::seconds kMargin{6};

struct Timed {
  Ended ended;
  std::chrono::milliseconds took;
};

// Kills it, late, if it is far too slow.
Timed InTime(const RegressScene& scene, std::vector<std::string> words,
             std::chrono::seconds timeout) {
  words.insert(words.end(), {"--timeout", std::to_string(timeout.count()) + "s"});
  const auto begin = Steady::now();
  Timed timed{Run(scene.cluster().Command(std::move(words)), {}, timeout + kMargin * 2), {}};
  timed.took = std::chrono::duration_cast<std::chrono::milliseconds>(Steady::now() - begin);
  return timed;
}

// The one file of a SoftHSM token that every login reads and writes.
std::string TokenObjectOf(const SoftHsmToken& token) {
  return fs::directory_iterator(token.tokens_folder())->path().string() + "/token.object";
}

// A lock on a whole file, as SoftHSM takes them; ends with the object.
class WriteLock {
 public:
  explicit WriteLock(const std::string& path) : fd_(open(path.c_str(), O_RDWR | O_CLOEXEC)) {
    REQUIRE(fd_ >= 0);
    struct flock lock{};
    lock.l_type = F_WRLCK;
    REQUIRE(fcntl(fd_, F_SETLK, &lock) == 0);
  }
  ~WriteLock() { close(fd_); }
  WriteLock(const WriteLock&) = delete;
  WriteLock& operator=(const WriteLock&) = delete;

 private:
  int fd_;
};

// A file system of its own at a folder, in a file beside it.
class LoopMount {
 public:
  explicit LoopMount(const std::string& folder) : folder_(folder) {
    const std::string image = folder + ".image";
    WriteText(image, "");
    fs::resize_file(image, 16 << 20);
    Must({"mkfs.ext4", "-q", image});
    Must({"mount", "-o", "loop", image, folder});
  }
  // Who still sleeps on it has been killed and lets go of it soon.
  ~LoopMount() { umount2(folder_.c_str(), MNT_DETACH); }
  LoopMount(const LoopMount&) = delete;
  LoopMount& operator=(const LoopMount&) = delete;

 private:
  static void Must(const std::vector<std::string>& words) {
    const Ended ended = Run(words);
    REQUIRE_MESSAGE(ended.code == 0, words[0], ": ", ended.err,
                    "; a disk that freezes wants root, a loop device and e2fsprogs");
  }

  std::string folder_;
};

// Moves a token's files to a disk where a write can be made to sleep beyond the reach of signals.
class DiskThatFreezes {
 public:
  explicit DiskThatFreezes(SoftHsmToken& token)
      : saved_(Save(token)), disk_(token.tokens_folder()) {
    fs::copy(saved_, token.tokens_folder(), fs::copy_options::recursive);
    fd_ = open(token.tokens_folder().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    REQUIRE(fd_ >= 0);
  }
  ~DiskThatFreezes() {
    Thaw();
    close(fd_);
  }
  DiskThatFreezes(const DiskThatFreezes&) = delete;
  DiskThatFreezes& operator=(const DiskThatFreezes&) = delete;

  void Freeze() {
    frozen_ = ioctl(fd_, FIFREEZE, 0) == 0;
    REQUIRE_MESSAGE(frozen_, "freezing a disk: ", std::strerror(errno));
  }
  void Thaw() {
    if (frozen_) frozen_ = ioctl(fd_, FITHAW, 0) != 0;
  }

 private:
  static std::string Save(const SoftHsmToken& token) {
    std::string copy = token.folder() + "/tokens.saved";
    token.SaveTo(copy);
    return copy;
  }

  std::string saved_;
  LoopMount disk_;
  int fd_ = -1;
  bool frozen_ = false;
};

}  // namespace

TEST_CASE("a module file that is missing does not make a secret not found") {
  RegressScene scene({"a", "b"});
  scene.Put("app", "kept");
  const std::string missing = "/nowhere/libsofthsm2.so";
  scene.EditSpec(FaultModulePath(), missing);
  for (const auto& words : {std::vector<std::string>{"get", "app"}, {"sync"}, {"diff", "a", "b"}}) {
    CAPTURE(words[0]);
    const Ended ended = scene.Hsm(words);
    HSM_CHECK_EXIT(ended, 1);
    CHECK_MESSAGE(Says(ended.err + ended.out, missing), ended.out, ended.err);
  }
  scene.EditSpec(missing, FaultModulePath());
  CHECK(scene.Value("app") == "kept");
}

TEST_CASE("a put ends in time when a mirror's process sleeps where no signal reaches it") {
  constexpr std::chrono::seconds kTimeout{3};
  RegressScene scene({"a", "b"});
  scene.Put("app", "kept");
  DiskThatFreezes disk(scene.token("b"));
  disk.Freeze();
  const Timed put = InTime(scene, scene.PutWords("app", "without b"), kTimeout);
  disk.Thaw();
  CHECK_MESSAGE(put.took < kTimeout + kMargin, put.took.count(), " ms: ", put.ended.err);
  HSM_CHECK_EXIT(put.ended, 0);
  CHECK_MESSAGE(Says(put.ended.err, "b is out of the sync set"), put.ended.err);
  CHECK(scene.Value("app") == "without b");
  scene.Must({"sync"});
  const std::map<std::string, std::string> values{{"app", "without b"}};
  CHECK(scene.Look(values).WhatIsWrong(values).empty());
}

TEST_CASE("a token whose first view fails once is opened again at once") {
  constexpr std::chrono::seconds kTimeout{20};
  RegressScene scene({"a", "b"});
  scene.Put("app", "kept");
  scene.plan("b").Set("call=1 mode=fail-after rv=0x5 function=C_GetInfo");
  const Timed put = InTime(scene, scene.PutWords("app", "new"), kTimeout);
  REQUIRE(scene.plan("b").fired().size() == 1);
  CHECK_MESSAGE(put.took < kTimeout / 2, put.took.count(), " ms: ", put.ended.err);
  HSM_CHECK_EXIT(put.ended, 0);
  CHECK_MESSAGE(!Says(put.ended.err, "in use"), put.ended.err);
  scene.NoFaults();
  scene.Must({"sync"});
  const std::map<std::string, std::string> values{{"app", "new"}};
  CHECK(scene.Look(values).WhatIsWrong(values).empty());
}

TEST_CASE("get ends in time when somebody else keeps a token's file locked") {
  constexpr std::chrono::seconds kTimeout{3};
  RegressScene scene({"a", "b"});
  scene.Put("app", "kept");
  {
    const WriteLock lock(TokenObjectOf(scene.token("a")));
    const Timed get = InTime(scene, {"get", "app", "--key", "k", "--raw"}, kTimeout);
    CHECK_MESSAGE(get.took < kTimeout + kMargin, get.took.count(), " ms");
    HSM_CHECK_EXIT(get.ended, 0);  // b has it
    CHECK(get.ended.out == "kept");
    CHECK_MESSAGE(Says(get.ended.err, "token.object"), get.ended.err);
    CHECK_MESSAGE(Says(get.ended.err, "pid " + std::to_string(getpid())), get.ended.err);
  }
  CHECK(scene.Value("app") == "kept");
}

TEST_CASE("get ends in time when the PIN file is a pipe that nobody writes to") {
  constexpr std::chrono::seconds kTimeout{3};
  RegressScene scene({"a", "b"});
  scene.Put("app", "kept");
  const std::string path = scene.token("a").pin_path();
  fs::rename(path, path + ".away");
  REQUIRE(mkfifo(path.c_str(), 0600) == 0);
  const Timed get = InTime(scene, {"get", "app", "--key", "k", "--raw"}, kTimeout);
  CHECK_MESSAGE(get.took < kTimeout + kMargin, get.took.count(), " ms");
  HSM_CHECK_EXIT(get.ended, 0);  // b has it
  CHECK(get.ended.out == "kept");
  CHECK_MESSAGE(Says(get.ended.err, "not a regular file"), get.ended.err);
  fs::rename(path + ".away", path);
  CHECK(scene.Value("app") == "kept");
}

}  // namespace hsmops::test
