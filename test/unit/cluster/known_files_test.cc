// KnownFiles: a file that changed is never taken for what it was.
#include "libhsmops/cluster/known_files.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <fstream>

#include "test/support/temp_folder.h"

namespace hsmops::cluster {
namespace {

// In place, as an editor may: the inode stays.
void Overwrite(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::in | std::ios::out) << text;
}

class Reading {
 public:
  explicit Reading(std::string path) : path_(std::move(path)) { std::ofstream(path_) << "0000"; }
  // By the test's clock, which ticks every other second.
  base::Result<FileStamp> Coarse(const std::string& path) {
    HSM_TRY(FileStamp stamp, StampOf(path));
    stamp.changed_ns = changed.since_boot / std::chrono::seconds(2);
    stamp.modified_ns = stamp.changed_ns;
    return stamp;
  }

  base::Result<std::string> operator()() {
    HSM_TRY(const auto read, files_.Read(path_, 1000, [this](std::string text) {
      ++parsed;
      return parse_fails ? base::Result<std::string>(base::Error(base::ErrorCode::kCorrupt, "no"))
                         : base::Result<std::string>(std::move(text));
    }));
    return *read;
  }
  base::ManualClock clock;
  base::TimePoint changed = clock.Now();
  int parsed = 0;
  bool parse_fails = false;

 private:
  std::string path_;
  KnownFiles<std::string> files_{clock, [this](const std::string& path) { return Coarse(path); }};
};

}  // namespace

TEST_CASE("a file that is changed in place within one tick of its times is read again") {
  const test::TempFolder folder;
  const std::string path = folder.path() + "/file";
  Reading read(path);
  for (int i = 1000; i < 1500; ++i) {
    Overwrite(path, std::to_string(i));
    read.changed = read.clock.Now();
    CHECK(*read() == std::to_string(i));
    read.clock.Advance(std::chrono::milliseconds(i % 7 == 0 ? 700 : 10));
  }
}

TEST_CASE(
    "a file that did not change is parsed once, and one that did, after however long, again") {
  const test::TempFolder folder;
  const std::string path = folder.path() + "/file";
  Reading read(path);
  for (int looks = 0; looks < 20; ++looks) {
    CHECK(*read() == "0000");
    read.clock.Advance(std::chrono::seconds(1));
  }
  CHECK(read.parsed == 1);
  // Its times may be older than those of what was there: only that they differ counts.
  Overwrite(path, "1111");
  read.changed = base::TimePoint(std::chrono::seconds(10));
  CHECK(*read() == "1111");
  CHECK(read.parsed == 2);
}

TEST_CASE("what does not parse is not remembered, and a file that is gone is gone") {
  const test::TempFolder folder;
  const std::string path = folder.path() + "/file";
  Reading read(path);
  read.parse_fails = true;
  for (int looks = 0; looks < 5; ++looks) {
    CHECK(read().Is(base::ErrorCode::kCorrupt));
    read.clock.Advance(std::chrono::seconds(5));
  }
  read.parse_fails = false;
  CHECK(*read() == "0000");
  REQUIRE(unlink(path.c_str()) == 0);
  CHECK(read().Is(base::ErrorCode::kNotFound));
}

}  // namespace hsmops::cluster
